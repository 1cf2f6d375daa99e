// runtime/settings/diagnostics.h: what is wrong with a configuration, by file and line, with the
// remedy in the text. All of it is collected, so that one `posthaste check` shows everything there
// is to mend.
#pragma once

#include <string>
#include <vector>

namespace posthaste {

// Where a value was written. line 0: no line (a default, a command line).
struct Place {
    std::string file;
    unsigned line = 0;

    std::string text() const { return line == 0 ? file : file + ":" + std::to_string(line); }
};

struct Diagnostic {
    bool is_error = false;
    Place place;
    std::string text;

    // "error: /etc/posthaste/main.cf:12: …"
    std::string shown() const {
        return std::string(is_error ? "error: " : "warning: ") +
               (place.file.empty() ? "" : place.text() + ": ") + text;
    }
};

class Diagnostics {
 public:
    void error(Place place, std::string text) { add({true, std::move(place), std::move(text)}); }

    void warning(Place place, std::string text) { add({false, std::move(place), std::move(text)}); }

    bool has_errors() const noexcept { return errors_ > 0; }

    const std::vector<Diagnostic>& all() const noexcept { return all_; }

 private:
    // The same remark for each of forty services is one remark.
    void add(Diagnostic diagnostic) {
        if (all_.size() >= kMax) return;
        for (const Diagnostic& known : all_)
            if (known.text == diagnostic.text && known.place.line == diagnostic.place.line &&
                known.place.file == diagnostic.place.file)
                return;
        errors_ += diagnostic.is_error ? 1 : 0;
        all_.push_back(std::move(diagnostic));
    }

    static constexpr size_t kMax = 200;
    std::vector<Diagnostic> all_;
    unsigned errors_ = 0;
};

}  // namespace posthaste
