#include "simulation/relay/destination.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/strings.h"

#include "mail/data_scanner.h"

namespace posthaste::simulation {

namespace {

constexpr int64_t kLateUsMax = 20 * kMinuteUs;  // the agent waits for ten

bool is_among(std::string_view text, unsigned permille, uint64_t salt) {
    return permille > 0 &&
           Random(std::hash<std::string_view>{}(text) ^ salt).below(1000) < permille;
}

}  // namespace

// One client's conversation.
class Destination::Session final : private Connection::Handler, private ByteSink {
 public:
    Session(Destination& home, Socket socket)
        : home_(home),
          socket_(socket),
          origin_{home.loop_.peer_of(socket).ip, home.world_.now_us(),
                  home.world_.network().taken_by_peer(socket)},
          connection_(home.loop_, socket, static_cast<Connection::Handler&>(*this)),
          delay_(timer_calls<&Session::say, Session>(), this),
          echo_delay_(timer_calls<&Session::say_again, Session>(), this),
          pause_(timer_calls<&Session::go_on, Session>(), this) {
        connection_.start();
    }

    bool open() const { return !connection_.closing(); }

    void greet(bool too_many) {
        answer(too_many ? "421 4.3.2 too many of you" : "220 dest.test ESMTP");
        if (too_many) close_after_answer_ = true;
    }

 private:
    size_t on_bytes(std::string_view bytes) override;

    void on_end(Connection::End, int) override {
        note("has lost it");
        delay_.cancel();
        echo_delay_.cancel();
        pause_.cancel();
        connection_.abort();
    }

    void on_closed() override {}

    void append(std::string_view bytes) override { content_ += bytes; }

    const Manners& manners() const { return home_.manners; }

    // For the story.
    void note(std::string_view what) const {
        home_.ledger_.note(home_.address_.text() + " to " + origin_.agent.text() + " " +
                           std::to_string(static_cast<int32_t>(socket_)) + ": " +
                           std::string(what));
    }

    bool chance(unsigned permille) { return permille > 0 && home_.world_.chance(permille, 1000); }

    // Of what was said last.
    uint64_t mark() const { return lied_ ? UINT64_MAX : said_bytes_; }

    void lie();
    void prove(uint64_t heard_mark);
    void answer(std::string text, int64_t delay_us = 0);
    void say();
    void say_again();
    void go_on();
    void on_line(std::string_view line);
    void on_rcpt(std::string_view line);
    void on_message();
    void settle(Attempt::End end);
    void begin_transaction();

    Destination& home_;
    Socket socket_;
    Ledger::Origin origin_;
    Connection connection_;
    Timer delay_;
    Timer echo_delay_;
    Timer pause_;
    bool spoke_twice_ = false;
    std::string line_;
    std::string late_answer_;
    std::string echo_;
    bool close_after_answer_ = false;
    uint64_t said_bytes_ = 0;
    uint64_t mail_mark_ = UINT64_MAX;
    uint64_t rset_mark_ = UINT64_MAX;
    unsigned messages_ = 0;
    bool in_data_ = false;
    bool silent_ = false;   // for ever
    bool lied_ = false;     // nothing that is said behind it is believed
    bool hurried_ = false;  // 250 has been said already
    DataScanner scanner_{BareNewline::no};
    std::string content_;
    std::vector<Ledger::Key> named_;  // of the message at hand, whatever was said of them
    std::vector<Ledger::Key> accepted_;
    std::vector<Ledger::Key> unproven_;  // something was said of them
};

// The client believes what it was told before when it hears what was said so far.
void Destination::Session::prove(uint64_t heard_mark) {
    for (const Ledger::Key& key : unproven_) home_.ledger_.at(key).end_mark = heard_mark;
    unproven_.clear();
}

// The client can not know what was meant: the message at hand may come again at once.
void Destination::Session::lie() {
    lied_ = true;
    mail_mark_ = UINT64_MAX;
    for (const Ledger::Key& key : named_) {
        home_.ledger_.at(key).mail_mark = home_.ledger_.at(key).end_mark = UINT64_MAX;
    }
}

void Destination::Session::answer(std::string text, int64_t delay_us) {
    if (chance(manners().gibberish_permille)) {
        text = "what?";
        lie();
    }
    note("says " + text.substr(text.rfind('\n') + 1));
    if (chance(manners().unsaid_permille)) {
        note("… but not aloud");
        lie();
        return;
    }
    late_answer_ = std::move(text) + "\r\n";
    if (chance(manners().twice_permille)) {
        note("… twice");
        lie();
        // A refusal that comes late would be a refusal of something else, as far as anybody knows.
        if (manners().echo_us > 0 && late_answer_[0] == '2') {
            echo_ = late_answer_;
            home_.loop_.timers().set(echo_delay_, home_.loop_.now_us() + manners().echo_us);
        } else {
            late_answer_ += late_answer_;
        }
    }
    said_bytes_ += late_answer_.size();
    if (delay_us == 0 && chance(manners().slow_permille))
        delay_us = home_.world_.between(1, manners().slow_us_max);
    if (delay_us == 0) return say();
    connection_.pause();
    home_.loop_.timers().set(delay_, home_.loop_.now_us() + delay_us);
}

void Destination::Session::say_again() {
    if (!connection_.closing()) connection_.send(echo_);
}

void Destination::Session::go_on() {
    if (!connection_.closing()) connection_.resume();
}

void Destination::Session::say() {
    connection_.send(late_answer_);
    if (std::exchange(spoke_twice_, false)) {
        // Both answers are heard before anything may end the connection: else nobody could know.
        connection_.pause();
        home_.loop_.timers().set(pause_, home_.loop_.now_us() + kSecondUs);
        return;
    }
    if (close_after_answer_) return connection_.close();
    if (connection_.paused()) connection_.resume();
}

size_t Destination::Session::on_bytes(std::string_view bytes) {
    const size_t size_bytes = bytes.size();
    while (!bytes.empty() && !connection_.closing() && !delay_.is_set() && !pause_.is_set() &&
           !silent_) {
        if (in_data_) {
            bytes.remove_prefix(scanner_.consume(bytes, *this));
            if (scanner_.done()) on_message();
        } else {
            const size_t end = bytes.find('\n');
            line_ += bytes.substr(0, end);
            if (end == std::string_view::npos) return size_bytes;
            bytes.remove_prefix(end + 1);
            const std::string line = std::exchange(line_, {});
            on_line(trimmed(line));
        }
    }
    return size_bytes - bytes.size();
}

void Destination::Session::on_line(std::string_view line) {
    const auto is = [&](std::string_view verb) { return starts_with_ignoring_case(line, verb); };
    note("hears " + std::string(line));
    if (is("EHLO") && !manners().knows_ehlo) {
        answer("502 5.5.1 what is that");
    } else if (is("EHLO")) {
        std::string hello = "250-dest.test\r\n";
        if (manners().pipelining) hello += "250-PIPELINING\r\n";
        answer(hello + "250-8BITMIME\r\n250 ENHANCEDSTATUSCODES");
    } else if (is("MAIL")) {
        accepted_.clear();
        named_.clear();
        content_.clear();
        rset_mark_ = UINT64_MAX;
        if (manners().session_messages_max > 0 && messages_ >= manners().session_messages_max) {
            close_after_answer_ = true;
            return answer("421 4.7.0 enough for now");
        }
        answer("250 2.1.0 Ok");
        mail_mark_ = mark();
    } else if (is("RCPT")) {
        on_rcpt(line);
    } else if (is("DATA")) {
        if (accepted_.empty()) return answer("554 5.5.1 no valid recipients");
        hurried_ = chance(manners().hurried_permille);
        // Its yes comes too early to be believed; if it is, the message is this server's.
        if (hurried_) lie();
        for (const Ledger::Key& key : accepted_) {
            if (hurried_) home_.ledger_.at(key).end = Attempt::End::taken;
        }
        scanner_ = DataScanner(BareNewline::no);
        in_data_ = true;
        answer(hurried_ ? "354 go\r\n250 2.0.0 Ok: whatever it is" : "354 go");
        prove(mark());
    } else if (is("QUIT")) {
        close_after_answer_ = true;
        answer("221 2.0.0 bye");
        // The answer to RSET was proof of it, for no command came behind that.
        prove(rset_mark_);
    } else {
        if (is("RSET")) settle(Attempt::End::deferred);
        answer("250 2.0.0 Ok");
        if (is("RSET")) rset_mark_ = mark();
    }
}

void Destination::Session::on_rcpt(std::string_view line) {
    const size_t begin = line.find('<');
    const size_t end = line.find('>');
    const std::string_view address =
        begin == std::string_view::npos || end == std::string_view::npos
            ? std::string_view()
            : line.substr(begin + 1, end - begin - 1);
    const auto key = home_.ledger_.on_attempt(
        address, origin_, home_.world_.network().peer_holds(socket_), mail_mark_);
    if (!key) return answer("550 5.1.1 who?");
    named_.push_back(*key);
    const auto end_with = [&](Attempt::End how, const char* reply) {
        home_.ledger_.at(*key).end = how;
        answer(reply);
        unproven_.push_back(*key);
        if (how == Attempt::End::deferred) home_.watcher_.on_deferred();
    };
    const int64_t now_us = home_.world_.now_us();
    const auto [named, is_new] = home_.first_named_us_.try_emplace(std::string(address), now_us);
    if (is_among(address, manners().unknown_permille, 1))
        return end_with(Attempt::End::refused, "550 5.1.1 unknown here");
    if (now_us < named->second + manners().greylist_us)
        return end_with(Attempt::End::deferred, "451 4.7.1 greylisted");
    if (manners().recipients_max > 0 && accepted_.size() >= manners().recipients_max)
        return end_with(Attempt::End::deferred, "452 4.5.3 too many recipients");
    if (chance(manners().defer_permille))
        return end_with(Attempt::End::deferred, "450 4.2.1 come again");
    accepted_.push_back(*key);
    answer("250 2.1.5 Ok");
}

void Destination::Session::settle(Attempt::End end) {
    for (const Ledger::Key& key : accepted_) {
        home_.ledger_.at(key).end = end;
        unproven_.push_back(key);
    }
    accepted_.clear();
}

void Destination::Session::on_message() {
    in_data_ = false;
    ++messages_;
    const std::string content = std::exchange(content_, {});
    note("has a message of " + std::to_string(content.size()) + " bytes");
    if (accepted_.empty()) return answer("554 5.5.1 no valid recipients");
    const std::vector<Ledger::Key> recipients = accepted_;
    const auto end_with = [&](Attempt::End how, std::string reply) {
        if (chance(manners().proxy_permille)) {
            reply = "250 2.0.0 Ok: says the proxy\r\n" + reply;
            spoke_twice_ = true;
            lie();
        }
        answer(reply);
        settle(how);
        if (how == Attempt::End::deferred) home_.watcher_.on_deferred();
    };
    if (std::exchange(hurried_, false)) {
        home_.ledger_.on_content(recipients, content);
        return accepted_.clear();
    }
    if (is_among(content.substr(content.find("X-Test-Tag"), 24), manners().unwanted_permille, 2))
        return end_with(Attempt::End::refused, "554 5.7.1 not that");
    if (chance(manners().defer_final_permille))
        return end_with(Attempt::End::deferred, "451 4.3.0 not now");
    if (chance(manners().vanish_permille)) {
        // Half of them have it. Nobody is told.
        if (home_.world_.chance(1, 2)) {
            home_.ledger_.on_content(recipients, content);
            for (const Ledger::Key& key : recipients)
                home_.ledger_.at(key).end = Attempt::End::taken;
        } else {
            for (const Ledger::Key& key : recipients)
                home_.ledger_.at(key).end = Attempt::End::deferred;
        }
        accepted_.clear();
        return connection_.abort();
    }
    home_.ledger_.on_content(recipients, content);
    if (chance(manners().silent_permille)) {
        for (const Ledger::Key& key : recipients) home_.ledger_.at(key).end = Attempt::End::taken;
        accepted_.clear();
        silent_ = true;
        connection_.pause();
    } else {
        answer("250 2.0.0 Ok: taken",
               chance(manners().late_permille) ? home_.world_.between(1, kLateUsMax) : 0);
        if (late_answer_.starts_with("250")) {
            settle(Attempt::End::taken);
        } else {
            for (const Ledger::Key& key : recipients)
                home_.ledger_.at(key).end = Attempt::End::taken;
            accepted_.clear();
        }
    }
    home_.watcher_.on_taken();
}

Destination::Destination(SimWorld& world, IpAddress address, Ledger& ledger, Watcher& watcher)
    : world_(world),
      address_(address),
      ledger_(ledger),
      watcher_(watcher),
      loop_(world.make_loop("destination " + address.text())),
      accepted_(runner_of<&Destination::on_accept, Destination>(), this),
      listener_(world.network().listen({address, 25})) {
    loop_.accept(accepted_, listener_);
}

Destination::~Destination() = default;

size_t Destination::sessions_open() const {
    return static_cast<size_t>(std::count_if(sessions_.begin(), sessions_.end(),
                                             [](const auto& session) { return session->open(); }));
}

void Destination::on_accept(const Event& event) {
    if (event.result >= 0) {
        const bool too_many = manners.sessions_max > 0 && sessions_open() >= manners.sessions_max;
        sessions_.push_back(std::make_unique<Session>(*this, Socket{event.result}));
        sessions_.back()->greet(too_many);
    }
    if (event.last) loop_.accept(accepted_, listener_);
}

}  // namespace posthaste::simulation
