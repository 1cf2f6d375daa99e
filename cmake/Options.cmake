# What a preset may choose. Presets: dev, release, asan, tsan, fuzz (CMakePresets.json).
option(POSTHASTE_TESTS "build unit, simulation and fuzz-replay tests" ON)
option(POSTHASTE_BENCH "build the micro benchmarks and the load tools" ON)
option(POSTHASTE_WERROR "warnings are errors (CI)" OFF)
# Measured side by side (bench/results/allocator.md): no difference beyond the noise, glibc's needing
# two to six percent less CPU. So the default is the one that is no dependency and keeps its checks.
option(POSTHASTE_MIMALLOC "link mimalloc into the executables instead of glibc's allocator" OFF)
option(POSTHASTE_FUZZ "build libFuzzer targets (clang)" OFF)
set(POSTHASTE_SANITIZE "" CACHE STRING "value for -fsanitize=, empty for none")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -fno-omit-frame-pointer)
if(POSTHASTE_WERROR)
    add_compile_options(-Werror)
endif()
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(POSTHASTE_SANITIZE)
    add_compile_options(-fsanitize=${POSTHASTE_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${POSTHASTE_SANITIZE})
endif()
if(POSTHASTE_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
