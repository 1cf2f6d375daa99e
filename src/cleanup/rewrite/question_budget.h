// cleanup/rewrite/question_budget.h: a Resolver in front of another, for one purpose, that asks no
// more than so many questions at a time. Mail and client names have one each: strangers, who choose
// how many names are asked for and how long their servers keep silent, can not hold up mail.
//
//   asked ─► open (at most open_max) ─► answered
//     │        └─ the oldest, when others wait and it has been open for kPatienceUs: failed, and forgotten
//     └────► waits for its turn, in order; beyond kWaitingMax: failed
//
// So a question waits no longer than those before it deserve: of servers that never answer
// open_max / kPatienceUs are done with a second.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "runtime/loop.h"

#include "cleanup/rewrite/resolver.h"

namespace posthaste::rewrite {

class QuestionBudget final : public Resolver {
 public:
    static constexpr int64_t kPatienceUs = 3 * kSecondUs;  // less when many wait
    static constexpr int64_t kPatienceMinUs = kSecondUs / 2;
    static constexpr size_t kWaitingMax = 16 * 1024;

    QuestionBudget(Loop& loop, Resolver& resolver, size_t open_max);
    ~QuestionBudget() override;

    uint64_t mx(const std::string& domain, std::function<void(MxAnswer)> done) override;
    uint64_t addresses(const std::string& host, bool v6,
                       std::function<void(AddressAnswer)> done) override;
    uint64_t names(const IpAddress& address, std::function<void(NameAnswer)> done) override;
    void forget(uint64_t question) override;

    size_t open() const noexcept { return open_.size(); }

    size_t waiting() const noexcept { return waiting_.size(); }

 private:
    struct Question {
        std::function<uint64_t()> ask;  // of the resolver behind; its number there
        std::function<void()> fail;
        uint64_t behind = 0;
        int64_t since_us = 0;
    };

    template <class Answer, class Ask>
    uint64_t take(std::function<void(Answer)> done, Ask ask);
    int64_t patience_us() const noexcept;
    void admit();
    void fail_later(Question question);
    void on_timer();

    Loop& loop_;
    Resolver& resolver_;
    const size_t open_max_;
    uint64_t last_ = 0;
    // By number, which is the order in which they came.
    std::map<uint64_t, Question> open_;
    std::map<uint64_t, Question> waiting_;
    std::map<uint64_t, Question> failed_;  // to be told: never from inside a call
    Timer timer_;
};

}  // namespace posthaste::rewrite
