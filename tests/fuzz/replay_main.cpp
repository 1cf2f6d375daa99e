// Runs a fuzz target over every file of the directories (or files) given: its corpus as a test,
// with any compiler. Each input lies in its own heap block of exactly its size, so that a sanitizer
// sees a read past its end. A corpus without a file is a mistake and fails.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;

bool replay(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file) {
        std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
        return false;
    }
    const auto input = std::make_unique<uint8_t[]>(bytes.size());
    if (!bytes.empty()) std::memcpy(input.get(), bytes.data(), bytes.size());
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);  // the last line names the input that aborts
    LLVMFuzzerTestOneInput(input.get(), bytes.size());
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    size_t count = 0;
    bool good = argc > 1;
    for (int i = 1; i < argc; ++i) {
        if (!fs::is_directory(argv[i])) {
            good = replay(argv[i]) && good;
            ++count;
            continue;
        }
        for (const auto& entry : fs::directory_iterator(argv[i])) {
            if (!entry.is_regular_file()) continue;
            good = replay(entry.path()) && good;
            ++count;
        }
    }
    std::printf("%zu inputs\n", count);
    return good && count > 0 ? 0 : 1;
}
