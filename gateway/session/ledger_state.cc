#include "gateway/session/ledger_state.h"

namespace causeway {
namespace {

using enum LedgerState;

LedgerStep on_confirm(LedgerState state, bool in_archive) {
    switch (state) {
        // The archive is to have it as well, before anybody is told.
        case waiting: return in_archive ? LedgerStep{had_unarchived} : LedgerStep{over, true};
        case to_archive: return {had_to_archive};
        case to_store:
        case keep_to_store: return in_archive ? LedgerStep{had_to_archive} : LedgerStep{over, true};
        case archiving:
        case keep_archiving: return {had_archiving};
        case storing:
        case keep_storing: return {had_storing, !in_archive};
        case archived:
        case to_list:
        case keep_to_list:
        case keep_unlisted:
        case had_to_store: return {over, true};
        case listing:
        case keep_listing: return {had_listing, true};
        case listed: return {erased, true};
        case had_storing: return {had_storing, !in_archive};
        default: return {state};
    }
}

LedgerStep on_written(LedgerState state, bool in_archive) {
    switch (state) {
        case waiting:
        case to_store: return {in_archive ? had_to_archive : had_to_store};
        case storing: return {had_storing};
        case had_to_store:
        case had_storing: return {state};
        default: return on_confirm(state, in_archive);
    }
}

LedgerStep on_release(LedgerState state) {
    switch (state) {
        case waiting:
        case to_archive:
        case to_store: return {keep_to_store};
        case archiving: return {keep_archiving};
        case storing: return {keep_storing};
        case archived:
        case to_list: return {keep_to_list};
        case listing: return {keep_listing};
        case listed: return {kept};
        default: return {state};
    }
}

LedgerState on_commit(LedgerState state) {
    switch (state) {
        case to_archive: return archiving;
        case to_store: return storing;
        case to_list: return listing;
        case keep_to_store: return keep_storing;
        case keep_to_list: return keep_listing;
        case had_to_store: return had_storing;
        case had_to_archive: return had_archiving;
        default: return state;
    }
}

LedgerState on_stored(LedgerState state) {
    switch (state) {
        case archiving: return archived;
        case storing:
        case listing: return listed;
        case keep_archiving: return keep_to_list;
        case keep_storing:
        case keep_listing: return kept;
        case had_archiving: return over;
        case had_storing:
        case had_listing: return erased;
        default: return state;
    }
}

LedgerStep on_failed(LedgerState state, bool in_archive, bool given_up) {
    switch (state) {
        // It is still on its way: tried again until its recipient has it or is gone.
        case archiving:
        case storing: return {waiting};
        case listing: return {archived};  // which is looked at once a second
        case keep_archiving:
        case keep_storing: return {refused};
        // What stands in the archive is safe; only the list of what waits lacks it.
        case keep_listing: return {keep_unlisted};
        case had_storing:
            if (!in_archive) return {over, true};
            [[fallthrough]];
        case had_archiving: return given_up ? LedgerStep{lost, true} : LedgerStep{had_unarchived};
        case had_listing: return {over, true};
        default: return {state};
    }
}

LedgerState on_store(LedgerState state) {
    switch (state) {
        case waiting: return to_store;
        case keep_unlisted: return keep_to_list;
        case had_unarchived: return had_to_archive;
        default: return state;
    }
}

LedgerState on_list(LedgerState state) {
    switch (state) {
        case to_archive: return to_store;
        case archived: return to_list;
        default: return state;
    }
}

}  // namespace

LedgerStep next(LedgerState state, LedgerEvent event, bool archived) {
    switch (event) {
        case LedgerEvent::archive: return {state == waiting ? to_archive : state};
        case LedgerEvent::store: return {on_store(state)};
        case LedgerEvent::list: return {on_list(state)};
        case LedgerEvent::confirm: return on_confirm(state, archived);
        case LedgerEvent::written: return on_written(state, archived);
        case LedgerEvent::release: return on_release(state);
        case LedgerEvent::commit: return {on_commit(state)};
        case LedgerEvent::stored: return {on_stored(state), true};
        case LedgerEvent::failed: return on_failed(state, archived, false);
        case LedgerEvent::given_up: return on_failed(state, archived, true);
    }
    return {state};
}

}  // namespace causeway
