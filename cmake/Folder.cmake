# posthaste_folder(NAME dep...): the library of the current folder. Every *.cpp here belongs to it,
# except main.cpp (an executable's checklist) and *_test.cpp (the folder's unit test program).
# dep: other folders (by name) or imported targets.
function(posthaste_folder name)
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    file(GLOB tests CONFIGURE_DEPENDS *_test.cpp)
    list(REMOVE_ITEM sources ${tests} ${CMAKE_CURRENT_SOURCE_DIR}/main.cpp)
    if(sources)
        add_library(${name} STATIC ${sources})
        set(scope PUBLIC)
    else()
        add_library(${name} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${name} ${scope} ${ARGN})
    if(POSTHASTE_TESTS AND tests)
        add_executable(${name}_test ${tests})
        target_link_libraries(${name}_test PRIVATE ${name} GTest::gmock GTest::gtest_main)
        gtest_discover_tests(${name}_test PROPERTIES LABELS unit TIMEOUT 120
                             DISCOVERY_MODE PRE_TEST)
    endif()
endfunction()

# posthaste_program(NAME DIRECTORY source dep...): an executable under build/<preset>/<DIRECTORY>
# (sbin for commands, libexec/posthaste for services), as it is laid out when installed.
function(posthaste_program name directory source)
    add_executable(${name}_program ${source})
    set_target_properties(${name}_program PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${directory})
    target_link_libraries(${name}_program PRIVATE ${ARGN})
    if(TARGET mimalloc AND POSTHASTE_MIMALLOC)
        target_link_libraries(${name}_program PRIVATE mimalloc)
    endif()
    install(TARGETS ${name}_program DESTINATION ${directory})
endfunction()
