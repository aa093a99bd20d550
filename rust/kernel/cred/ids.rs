// SPDX-License-Identifier: GPL-2.0

//! The user and group ids of credentials.

use super::Credential;
use crate::bindings;

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// User and group ids in a user namespace.
///
/// An id without a mapping in the namespace is the overflow id, 65534 by default.
///
/// # Examples
///
/// ```
/// let ids = current!().get_cred().ids_in_current_ns();
/// pr_info!("uid {}, effective uid {}\n", ids.ruid, ids.euid);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Ids {
    pub ruid: u32,
    pub rgid: u32,
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    pub fsuid: u32,
    pub fsgid: u32,
}

impl Credential {
    /// Returns all user and group ids in the user namespace of the current task. Any context.
    #[doc(alias = "from_kuid_munged")]
    pub fn ids_in_current_ns(&self) -> Ids {
        // SAFETY: The current task has a user namespace.
        let ns = unsafe { bindings::current_user_ns() };
        // SAFETY: `ns` is valid. The function accepts any id.
        let uid = |id| unsafe { bindings::from_kuid_munged(ns, id) };
        // SAFETY: As above.
        let gid = |id| unsafe { bindings::from_kgid_munged(ns, id) };

        let cred = self.as_ptr();
        // SAFETY: By the type invariants, `self` is valid. The ids of credentials in use do not
        // change.
        let [real_uid, euid, suid, fsuid] =
            unsafe { [(*cred).uid, (*cred).euid, (*cred).suid, (*cred).fsuid] };
        // SAFETY: As above.
        let [real_gid, egid, sgid, fsgid] =
            unsafe { [(*cred).gid, (*cred).egid, (*cred).sgid, (*cred).fsgid] };
        // The ids are nearly always equal: map them once.
        let (ruid, rgid) = (uid(real_uid), gid(real_gid));
        let uid = |id: bindings::kuid_t| {
            if id.val == real_uid.val {
                ruid
            } else {
                uid(id)
            }
        };
        let gid = |id: bindings::kgid_t| {
            if id.val == real_gid.val {
                rgid
            } else {
                gid(id)
            }
        };

        Ids {
            ruid,
            rgid,
            euid: uid(euid),
            egid: gid(egid),
            suid: uid(suid),
            sgid: gid(sgid),
            fsuid: uid(fsuid),
            fsgid: gid(fsgid),
        }
    }
}
