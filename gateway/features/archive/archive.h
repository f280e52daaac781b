// What the files of this feature share; nothing outside this folder includes it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "gateway/config/feature_option.h"
#include "gateway/feature/feature.h"
#include "gateway/feature/slots.h"
#include "gateway/features/archive/preferences.h"
#include "gateway/features/message_archive.h"
#include "gateway/store/store.h"

namespace causeway::archive {

/// The Map store of preferences; its owner is the bare JID.
inline constexpr std::string_view store_name = "archive";
inline constexpr std::string_view preferences_key = "preferences";

/// Before the bare address of somebody who read it: when the owner was told, in milliseconds.
inline constexpr std::string_view told_prefix = "told:";

struct State final : SlotState {
    ArchivePreferences preferences;
};
/// Of an account that has preferences of its own.
inline constexpr Slot<State> preferences_slot{"archive"};

extern const FeatureOption enabled;
extern const FeatureOption keep_days;
extern const FeatureOption bytes_per_account;

/// The id as people and clients see it.
std::string text_of(std::uint64_t id);
/// 0: it is no id of ours.
std::uint64_t id_of(std::string_view text);

// iq handlers
void answer_query(const IqRequest& request);
void answer_grantee(const IqRequest& request);
void tell_form_to_grantee(const IqRequest& request);
void tell_metadata_to_grantee(const IqRequest& request);
/// An entry of the store with that prefix.
void load_told(Account& account, const MapEntry& entry);
void forget_told(Account& account);
void tell_form(const IqRequest& request);
void tell_metadata(const IqRequest& request);
void tell_preferences(const IqRequest& request);
void change_preferences(const IqRequest& request);

// Messages that a session has from the archive while they were on their way to another session.
bool was_fetched(const Resource& session, std::uint64_t row);
void note_fetched(Resource& session, std::uint64_t row);

// life
void resume_queries(const Life& life);
void trim(const Life& life);

}  // namespace causeway::archive
