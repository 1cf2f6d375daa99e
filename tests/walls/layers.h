// tests/walls/layers.h: the layers of the sandbox, and how to take each of them away as a kernel or a
// container would: by refusing the call that puts it up.
#pragma once

#include <span>

namespace posthaste::walls {

struct Layer {
    const char* name;   // as runtime/sandbox.cpp tells it
    const char* words;  // what it takes from a process
    void (*take_away)();
};

std::span<const Layer> layers();

}  // namespace posthaste::walls
