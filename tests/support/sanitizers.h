// Whether this build has a sanitizer. Its runtime takes signals and standard error for itself, and
// opens a pipe to look into memory; so what a test says of those, or of a process without a free
// descriptor, cannot be tried with it. The plain build does.
#pragma once

namespace causeway::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace causeway::test
