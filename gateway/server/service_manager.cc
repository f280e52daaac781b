#include "gateway/server/service_manager.h"

#ifdef CAUSEWAY_SYSTEMD
#include <systemd/sd-daemon.h>

#include <chrono>
#include <string>
#endif

namespace causeway {

#ifdef CAUSEWAY_SYSTEMD

void tell_service_manager(ServiceState state) {
    std::string text;
    switch (state) {
        case ServiceState::ready: text = "READY=1"; break;
        case ServiceState::reloading: {
            // Type=notify-reload wants to know which of its signals this answers.
            const auto since = std::chrono::steady_clock::now().time_since_epoch();
            text = "RELOADING=1\nMONOTONIC_USEC=" +
                   std::to_string(
                       std::chrono::duration_cast<std::chrono::microseconds>(since).count());
            break;
        }
        case ServiceState::stopping: text = "STOPPING=1"; break;
    }
    sd_notify(0, text.c_str());
}

#else

void tell_service_manager(ServiceState) {}

#endif

}  // namespace causeway
