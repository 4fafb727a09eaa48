//! The domain of the vault, through its public doors.

mod authority;
mod certificates;
mod damage;
mod damaged_files;
mod directory;
mod faults;
mod folder;
mod free_names;
mod installation;
mod keys;
mod model;
mod openssl;
mod permissions;
mod resource_groups;
mod roles;
mod secrets;
mod storage;
mod stored_certificates;
mod stored_keys;
mod tokens;
mod vaults;
mod world;
