// What the service manager is told (sd_notify(3)), where the environment has NOTIFY_SOCKET and the
// build has libsystemd; else nothing.
#pragma once

namespace causeway {

enum class ServiceState : unsigned char { ready, reloading, stopping };

void tell_service_manager(ServiceState state);

}  // namespace causeway
