#include "cleanup/rewrite/question_budget.h"

#include <gtest/gtest.h>

#include "runtime/testing_loop.h"

#include "cleanup/rewrite/testing_resolver.h"

namespace posthaste::rewrite {
namespace {

struct QuestionBudgetTest : testing::Test {
    void ask(const std::string& domain) {
        numbers[domain] = budget.mx(
            domain, [this, domain](const MxAnswer& answer) { answers[domain] = answer.status; });
    }

    void pass(int64_t us) {
        loop.pass_time(us);
        loop.turn();
    }

    TestingLoop loop;
    TestingResolver resolver;
    QuestionBudget budget{loop, resolver, 3};
    std::map<std::string, uint64_t> numbers;
    std::map<std::string, DnsStatus> answers;
};

TEST_F(QuestionBudgetTest, AsksNoMoreAtATimeThanItMayAndTheRestInOrder) {
    for (const char* domain : {"a", "b", "c", "d", "e"}) {
        resolver.has_mx(domain, {{10, "mx"}});
        ask(domain);
    }
    EXPECT_EQ(resolver.questions, (std::vector<std::string>{"MX a", "MX b", "MX c"}));
    EXPECT_EQ(budget.waiting(), 2U);
    EXPECT_TRUE(answers.empty());
    resolver.answer_all();
    EXPECT_EQ(answers.size(), 5U);
    EXPECT_EQ(resolver.questions.back(), "MX e");
    EXPECT_EQ(budget.open() + budget.waiting(), 0U);
}

TEST_F(QuestionBudgetTest, WhatIsNeverAnsweredGivesItsPlaceToThoseWhoWait) {
    for (const char* dead : {"x", "y", "z"}) {
        resolver.is_silent(dead);
        ask(dead);
    }
    resolver.has_mx("a", {{10, "mx"}});
    ask("a");
    pass(QuestionBudget::kPatienceUs / 2);
    EXPECT_TRUE(answers.empty());
    pass(QuestionBudget::kPatienceUs / 2);
    resolver.answer_all();
    pass(kSecondUs);
    EXPECT_EQ(answers.at("x"), DnsStatus::failed) << "the oldest";
    EXPECT_EQ(answers.at("a"), DnsStatus::ok);
    EXPECT_EQ(answers.size(), 2U) << "the others may take as long as they like while nobody waits";
    EXPECT_EQ(resolver.unanswered(), 2U);
}

TEST_F(QuestionBudgetTest, WhatIsForgottenIsNotAnsweredAndTakesNoPlace) {
    for (const char* domain : {"a", "b", "c", "d"}) {
        resolver.has_mx(domain, {{10, "mx"}});
        ask(domain);
    }
    budget.forget(numbers["a"]);
    budget.forget(numbers["d"]);
    EXPECT_EQ(budget.open(), 2U);
    resolver.answer_all();
    pass(kSecondUs);
    EXPECT_EQ(answers.size(), 2U);
    EXPECT_FALSE(answers.contains("a") || answers.contains("d"));
    budget.forget(numbers["b"]);
}

TEST_F(QuestionBudgetTest, BeyondItsBoundItFailsButNotFromInsideTheCall) {
    for (const char* dead : {"x", "y", "z"}) {
        resolver.is_silent(dead);
        ask(dead);
    }
    for (size_t i = 0; i < QuestionBudget::kWaitingMax; ++i) ask("w" + std::to_string(i));
    ask("late");
    EXPECT_TRUE(answers.empty());
    pass(10 * kMsUs);
    EXPECT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers.at("late"), DnsStatus::failed);
}

}  // namespace
}  // namespace posthaste::rewrite
