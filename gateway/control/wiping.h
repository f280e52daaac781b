// Memory that is overwritten before it is given back, for lines and values that may hold a
// password: an allocator for strings and a memory resource for Boost.JSON. Both take from the heap.
#pragma once

#include <boost/json/memory_resource.hpp>
#include <boost/json/storage_ptr.hpp>
#include <cstddef>
#include <new>
#include <string>

namespace causeway::control {

template <class T>
struct WipingAllocator {
    using value_type = T;

    WipingAllocator() = default;
    template <class U>
    WipingAllocator(const WipingAllocator<U>&) {}

    T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T))); }
    void deallocate(T* memory, std::size_t count) {
        ::explicit_bzero(memory, count * sizeof(T));
        ::operator delete(memory);
    }
    bool operator==(const WipingAllocator&) const { return true; }
};

using WipingString = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

/// A storage for JSON values that is wiped when freed. Never fails but for lack of memory.
boost::json::storage_ptr wiping_storage();

}  // namespace causeway::control
