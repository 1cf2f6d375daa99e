#include "runtime/counters.h"

#include <algorithm>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

namespace posthaste {
namespace {

template <size_t Size>
void copy_text(char (&out)[Size], std::string_view text) {
    const size_t size = std::min(text.size(), Size - 1);
    std::fill(text.copy(out, size) + out, out + Size, '\0');
}

}  // namespace

Counters::Counters(CounterPage& page, std::span<const CounterRow> rows) : page_(page) {
    ASSERT(rows.size() <= kCountersMax);
    for (size_t i = 0; i < rows.size(); ++i) {
        copy_text(page.slots[i].name, rows[i].name);
        copy_text(page.slots[i].unit, rows[i].unit);
        page.slots[i].kind = rows[i].kind;
    }
    page.count = static_cast<uint32_t>(rows.size());
}

Result<Fd> create_counter_page() {
    Fd memfd(::memfd_create("posthaste-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memfd) return os_error("memfd_create");
    if (::ftruncate(memfd.get(), sizeof(CounterPage)) != 0)
        return os_error("ftruncate counter page");
    if (::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        return os_error("seal counter page");
    return memfd;
}

Result<CounterMapping> CounterMapping::map(int memfd, Access access) {
    const int seals = ::fcntl(memfd, F_GET_SEALS);

    struct stat status {};

    if (::fstat(memfd, &status) != 0) return os_error("fstat counter page");
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || status.st_size != sizeof(CounterPage)) {
        return Error{Errc::malformed, 0, "counter page"};
    }
    const int protection = access == Access::write ? PROT_READ | PROT_WRITE : PROT_READ;
    void* base = ::mmap(nullptr, sizeof(CounterPage), protection, MAP_SHARED, memfd, 0);
    if (base == MAP_FAILED) return os_error("mmap counter page");
    CounterMapping out;
    out.page_ =
        access == Access::write ? new (base) CounterPage{} : static_cast<CounterPage*>(base);
    return out;
}

CounterMapping::~CounterMapping() {
    if (page_ != nullptr) ::munmap(page_, sizeof(CounterPage));
}

void set_owner(CounterPage& page, std::string_view role, uint32_t pid) {
    copy_text(page.role, role);
    page.pid = pid;
}

std::vector<CounterValue> read_counters(const CounterPage& page) {
    std::vector<CounterValue> out;
    if (page.magic != CounterPage::kMagic) return out;
    const size_t count = std::min<size_t>(page.count, kCountersMax);
    const auto text_of = [](const char* text, size_t size_max) {
        return std::string(text, std::find(text, text + size_max, '\0'));
    };
    for (size_t i = 0; i < count; ++i) {
        const auto& slot = page.slots[i];
        out.push_back({text_of(slot.name, sizeof(slot.name)), text_of(slot.unit, sizeof(slot.unit)),
                       slot.value.load(std::memory_order_relaxed),
                       slot.kind == CounterKind::gauge ? CounterKind::gauge : CounterKind::total});
    }
    return out;
}

}  // namespace posthaste
