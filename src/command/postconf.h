// command/postconf.h: postconf(1): what the parameters are, by default and here, and how to change
// them.
#pragma once

#include <string>
#include <vector>

namespace posthaste {

struct PostconfOptions {
    bool defaults = false;
    bool only_set = false;
    bool expanded = false;
    bool without_names = false;
    bool without_values = false;
    bool edit = false;
    bool remove = false;                 // -X: names, out of main.cf
    bool comment_out = false;            // -#
    bool services = false;               // -M: master.cf's lines
    bool columns = false;                // -F: their columns
    bool parameters = false;             // -P: their parameters
    bool folded = false;                 // -f
    std::vector<std::string> overrides;  // -o name=value: holds over main.cf
    std::vector<std::string> words;      // names; with an "=" in one of them all must be name=value
};

// The exit status.
int postconf(const std::string& config_directory, const PostconfOptions& options);

}  // namespace posthaste
