// command/listing_text.h: the queue as mailq and postqueue -p show it, made from postqueue -j's
// lines, in Postfix's format for long queue ids, to the byte.
//
//   ----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
//   4Zq8xW3kXcz7h*        4096 Sun Nov 22 07:30:00 sender@example.com
//                                     (why the first recipient still waits)
//                                            recipient@example.net
//
// "*" after the id: in the active queue; "!": on hold; "#": its time is up by order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthaste {

class ListingText {
 public:
    // Appends what one line becomes. False: not such a line; nothing was appended.
    bool append(std::string_view json_line, std::string& out);
    // The trailer.
    void finish(std::string& out) const;

 private:
    uint64_t messages_ = 0;
    uint64_t bytes_ = 0;
};

}  // namespace posthaste
