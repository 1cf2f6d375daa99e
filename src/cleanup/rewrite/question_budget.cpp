#include "cleanup/rewrite/question_budget.h"

#include <algorithm>
#include <utility>

namespace posthaste::rewrite {

QuestionBudget::QuestionBudget(Loop& loop, Resolver& resolver, size_t open_max)
    : loop_(loop),
      resolver_(resolver),
      open_max_(open_max),
      timer_(timer_calls<&QuestionBudget::on_timer, QuestionBudget>(), this) {}

QuestionBudget::~QuestionBudget() {
    for (const auto& [number, question] : open_) resolver_.forget(question.behind);
}

template <class Answer, class Ask>
uint64_t QuestionBudget::take(std::function<void(Answer)> done, Ask ask) {
    const uint64_t number = ++last_;
    Question question;
    question.fail = [done] { done(Answer{}); };
    question.ask = [this, number, done = std::move(done), ask = std::move(ask)] {
        return ask([this, number, done](Answer answer) {
            open_.erase(number);
            admit();
            done(std::move(answer));
        });
    };
    if (waiting_.size() >= kWaitingMax) {
        failed_.emplace(number, std::move(question));
        loop_.timers().set(timer_, loop_.now_us());
        return number;
    }
    waiting_.emplace(number, std::move(question));
    admit();
    return number;
}

uint64_t QuestionBudget::mx(const std::string& domain, std::function<void(MxAnswer)> done) {
    return take<MxAnswer>(std::move(done), [this, domain](std::function<void(MxAnswer)> answered) {
        return resolver_.mx(domain, std::move(answered));
    });
}

uint64_t QuestionBudget::addresses(const std::string& host, bool v6,
                                   std::function<void(AddressAnswer)> done) {
    return take<AddressAnswer>(std::move(done),
                               [this, host, v6](std::function<void(AddressAnswer)> answered) {
                                   return resolver_.addresses(host, v6, std::move(answered));
                               });
}

uint64_t QuestionBudget::names(const IpAddress& address, std::function<void(NameAnswer)> done) {
    return take<NameAnswer>(std::move(done),
                            [this, address](std::function<void(NameAnswer)> answered) {
                                return resolver_.names(address, std::move(answered));
                            });
}

void QuestionBudget::forget(uint64_t number) {
    waiting_.erase(number);
    failed_.erase(number);
    const auto found = open_.find(number);
    if (found == open_.end()) return;
    resolver_.forget(found->second.behind);
    open_.erase(found);
    admit();
}

// The more wait, the less.
int64_t QuestionBudget::patience_us() const noexcept {
    const auto open = static_cast<int64_t>(open_max_);
    return std::max(kPatienceUs * open / (open + static_cast<int64_t>(waiting_.size())),
                    kPatienceMinUs);
}

void QuestionBudget::admit() {
    while (!waiting_.empty()) {
        if (open_.size() >= open_max_) {
            const auto oldest = open_.begin();
            const int64_t until_us = oldest->second.since_us + patience_us();
            if (until_us > loop_.now_us()) {
                if (!timer_.is_set() || timer_.deadline_us() > until_us)
                    loop_.timers().set(timer_, until_us);
                return;
            }
            resolver_.forget(oldest->second.behind);
            failed_.insert(open_.extract(oldest));
            loop_.timers().set(timer_, loop_.now_us());
        }
        auto node = waiting_.extract(waiting_.begin());
        Question& question = open_.insert(std::move(node)).position->second;
        question.since_us = loop_.now_us();
        question.behind = question.ask();  // answers from the loop, not from inside
    }
}

void QuestionBudget::on_timer() {
    admit();
    while (!failed_.empty()) {
        const auto node = failed_.extract(failed_.begin());
        node.mapped().fail();
    }
}

}  // namespace posthaste::rewrite
