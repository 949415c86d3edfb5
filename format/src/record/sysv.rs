//! System V objects, sysvipc(7).

records! {
    /// A set of semaphores that processes of the tree use.
    SemSet = 601 "SEM_SET", tail values: U32s "Value of each semaphore.", of Image {
        /// Its id.
        semid: u32 => Dec,
        /// Its key, 0 (IPC_PRIVATE) for none.
        key: u32 => Hex,
        /// Permissions.
        mode: u32 => Mode,
        /// Owner.
        uid: u32 => Dec,
        /// Group.
        gid: u32 => Dec,
        /// Semaphores in it.
        nr_sems: u32 => Dec,
    } words(set) {
        let key = if set.key == 0 { "private".into() } else { format!("key {:#x}", set.key) };
        let values = set.values.chunks_exact(4).filter_map(|v| v.try_into().ok()).map(u32::from_le_bytes);
        let values: Vec<String> = values.take(8).map(|value| value.to_string()).collect();
        let more = if set.nr_sems > 8 { " ..." } else { "" };
        format!("{}, {key}, values {}{more}", set.semid, values.join(" "))
    }
}
