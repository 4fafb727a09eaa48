//! The storage of a data folder: one SQLite file with a write-ahead log.
//!
//! One thread writes. It takes every batch that waits, up to [`GROUP_MAX`], into one transaction with one sync
//! and answers after the COMMIT, so that many writers share the price. Readers have connections of their own
//! and do not wait for it. Sealed rows that were read are kept in a small cache that follows the commits.
//!
//! A write that failed in the system's hands is never retried: a second fsync may report success for data that
//! the first one lost. The storage then takes no more writes until it is opened again. A full disk is
//! different: SQLite has rolled back and nothing was promised, so later writes may succeed.
//!
//! Source: SQLite "Write-Ahead Logging", "PRAGMA synchronous"; the reason for one file and this engine is in
//! ARCHITECTURE.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::{
    Answer, Batch, CommitError, KEY_MAX, PendingCommit, Revision, Row, Rows, Storage, StorageError, end_of_prefix,
};

/// Most batches in one transaction. Ours: past that the answer takes longer than the shared sync saves.
pub const GROUP_MAX: usize = 256;
/// Weight of the cache of sealed rows, in bytes. Ours: the idle process is to stay under 12 MB.
pub const CACHE_BYTES: u64 = 4 << 20;
/// Marks the file as ours. Source: SQLite file format, offset 68; the letters `cred`.
pub const APPLICATION_ID: u32 = 0x6372_6564;

const READERS: usize = 4;
const QUEUE: usize = 1024;
const BUSY_MILLISECONDS: u64 = 10_000;
/// Rows written between two checkpoints. Ours: keeps the log at a few MiB.
const CHECKPOINT_AFTER_ROWS: usize = 1000;
/// What the cache needs for an entry besides its bytes, roughly.
const ENTRY_OVERHEAD: u64 = 96;

const SCHEMA: &str = "
    CREATE TABLE record (key BLOB PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE state (revision INTEGER NOT NULL);
    INSERT INTO state VALUES (0);";

#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<[u8]>, Row> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, row: &Row) -> u64 {
        key.len() as u64 + row.value.len() as u64 + ENTRY_OVERHEAD
    }
}

struct Request {
    batch: Batch,
    answer: Answer,
}

/// What readers and the writer share.
struct Shared {
    cache: Cache<Box<[u8]>, Row, ByBytes>,
    /// Odd while a transaction is between its start and the end of its effect on the cache. A reader puts a row
    /// into the cache only when the number was even before it read and is the same after.
    epoch: Mutex<u64>,
    read_only: Mutex<Option<String>>,
}

/// The storage of a data folder.
pub struct SqliteStorage {
    path: PathBuf,
    shared: Arc<Shared>,
    readers: [Mutex<Option<Connection>>; READERS],
    next_reader: AtomicUsize,
    queue: Option<SyncSender<Request>>,
    writer: Option<JoinHandle<()>>,
}

/// What the first bytes of a store file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// [`APPLICATION_ID`], or it is no store of ours.
    pub application_id: u32,
    /// Format of the records.
    pub format: u32,
}

/// Reads the header from the beginning of a store file, without the engine, so that nothing is written. `None`: no
/// SQLite file.
///
/// Source: SQLite file format, section 1.3: user version at offset 60, application id at offset 68.
///
/// # Errors
/// When the file cannot be read.
pub fn file_header(mut file: impl Read) -> io::Result<Option<FileHeader>> {
    let mut header = [0; 100];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let ours = header.starts_with(b"SQLite format 3\0");
    Ok(ours.then(|| FileHeader { application_id: number(68), format: number(60) }))
}

impl SqliteStorage {
    /// Makes a new file with these rows and closes it. The caller gives it its final name afterwards.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(path: &Path, format: u32, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), StorageError> {
        // SQLite gives the log and its index the mode of this file, so the umask has no say.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(from_io)?;
        rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o600)).map_err(|e| from_io(e.into()))?;
        let path = below_real_folder(path).map_err(from_io)?;
        let connection = open_connection(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(from_sqlite)?;
        let filled = (|| {
            set_up_writer(&connection)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.pragma_update(None, "user_version", format)?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            connection.execute_batch(SCHEMA)?;
            let batch = Batch { puts: rows, ..Batch::default() };
            write_batch(&connection, &batch, 1)?;
            connection.execute("UPDATE state SET revision = 1", [])?;
            connection.execute_batch("COMMIT")
        })();
        filled.map_err(from_sqlite)?;
        connection.close().map_err(|(_, error)| from_sqlite(error))?;
        file.sync_all().map_err(from_io)
    }

    /// Opens a file that [`create`](Self::create) has made, and starts its writer. The file may not be a symbolic
    /// link; its folder may be reached through one.
    ///
    /// # Errors
    /// When the file cannot be opened or is broken.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let path = below_real_folder(path).map_err(from_io)?;
        let connection = open_connection(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(from_sqlite)?;
        let revision = set_up_writer(&connection)
            .and_then(|()| connection.query_row("SELECT revision FROM state", [], |row| row.get(0)))
            .map_err(from_sqlite)?;
        let shared = Arc::new(Shared {
            cache: Cache::with_weighter(CACHE_BYTES as usize / 512, CACHE_BYTES, ByBytes),
            epoch: Mutex::new(0),
            read_only: Mutex::new(None),
        });
        let (queue, requests) = sync_channel(QUEUE);
        let writer = Writer { connection, shared: Arc::clone(&shared), revision, rows_since_checkpoint: 0 };
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let writer = thread.spawn(move || writer.run(&requests)).map_err(from_io)?;
        Ok(Self {
            path,
            shared,
            readers: std::array::from_fn(|_| Mutex::new(None)),
            next_reader: AtomicUsize::new(0),
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// Asks SQLite to check its own structure.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] with SQLite's finding.
    pub fn check_structure(&self) -> Result<(), StorageError> {
        let finding: String = self.read(|connection| {
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(from_sqlite)
        })?;
        if finding == "ok" { Ok(()) } else { Err(StorageError::Damaged(finding)) }
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let mut slot = self.free_reader();
        if slot.is_none() {
            *slot = Some(open_connection(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(from_sqlite)?);
        }
        match slot.as_ref() {
            Some(connection) => query(connection),
            None => Err(StorageError::Io("no connection".to_owned())),
        }
    }

    fn free_reader(&self) -> MutexGuard<'_, Option<Connection>> {
        for reader in &self.readers {
            if let Ok(slot) = reader.try_lock() {
                return slot;
            }
        }
        let next = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        lock(&self.readers[next])
    }
}

impl Storage for SqliteStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StorageError> {
        if let Some(row) = self.shared.cache.get(key) {
            return Ok(Some(row));
        }
        let before = *lock(&self.shared.epoch);
        let row = self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT revision, value FROM record WHERE key = ?1").map_err(from_sqlite)?;
            statement.query_row([key], |row| row_at(row, 0)).optional().map_err(from_sqlite)
        })?;
        if let Some(row) = &row {
            let epoch = lock(&self.shared.epoch);
            if *epoch == before && before.is_multiple_of(2) {
                self.shared.cache.insert(key.into(), row.clone());
            }
        }
        Ok(row)
    }

    fn at_hand(&self, key: &[u8]) -> Option<Row> {
        self.shared.cache.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Rows, StorageError> {
        const FROM: &str = "SELECT key, revision, value FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
        const AFTER: &str = "SELECT key, revision, value FROM record WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT ?3";
        let (sql, from) = match after {
            Some(after) if after >= prefix => (AFTER, after),
            _ => (FROM, prefix),
        };
        let end = end_of_prefix(prefix).unwrap_or_else(|| vec![u8::MAX; KEY_MAX + 1]);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql).map_err(from_sqlite)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![from, end, limit], |row| Ok((row.get(0)?, row_at(row, 1)?)));
            rows.and_then(Iterator::collect).map_err(from_sqlite)
        })
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        self.submit(batch).wait()
    }

    fn submit(&self, batch: Batch) -> PendingCommit {
        let (answer, pending) = PendingCommit::with_answer();
        if let Some(queue) = &self.queue {
            // A request that cannot be sent drops its answer, and that is the answer.
            let _ = queue.send(Request { batch, answer });
        }
        pending
    }

    fn read_only(&self) -> Option<String> {
        lock(&self.shared.read_only).clone()
    }
}

impl Drop for SqliteStorage {
    fn drop(&mut self) {
        // Readers first: the last connection to close is the one that may shorten and remove the log.
        for reader in &mut self.readers {
            *reader.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so already, and its connection is gone with it.
            let _ = writer.join();
        }
    }
}

struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    revision: Revision,
    rows_since_checkpoint: usize,
}

type Outcome = Result<Revision, CommitError>;

impl Writer {
    fn run(mut self, requests: &Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX {
                match requests.try_recv() {
                    Ok(request) => group.push(request),
                    Err(_) => break,
                }
            }
            let outcomes = self.write_group(&group);
            for (request, outcome) in group.into_iter().zip(outcomes) {
                // Who asked may be gone; the batch is durable all the same.
                let _ = request.answer.send(outcome);
            }
            self.checkpoint_when_due();
        }
        if lock(&self.shared.read_only).is_none() {
            // The log survives a failure here and is read at the next start.
            if let Err((_, error)) = self.connection.close() {
                tracing::warn!(%error, "the store was not closed cleanly");
            }
        }
    }

    fn write_group(&mut self, group: &[Request]) -> Vec<Outcome> {
        if let Some(reason) = lock(&self.shared.read_only).clone() {
            let refused = CommitError::Storage(StorageError::ReadOnly(reason));
            return vec![Err(refused); group.len()];
        }
        *lock(&self.shared.epoch) += 1;
        let outcomes = match self.transaction(group) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let error = CommitError::Storage(self.after_failure(&error));
                vec![Err(error); group.len()]
            }
        };
        let mut epoch = lock(&self.shared.epoch);
        for (request, outcome) in group.iter().zip(&outcomes) {
            if let Ok(revision) = outcome {
                self.follow(&request.batch, *revision);
            }
        }
        *epoch += 1;
        outcomes
    }

    /// Checks and writes each batch; one that conflicts is left out. Durable when it returns.
    fn transaction(&mut self, group: &[Request]) -> rusqlite::Result<Vec<Outcome>> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut outcomes = Vec::with_capacity(group.len());
        let (mut revision, mut rows) = (self.revision, 0);
        for request in group {
            if holds(&self.connection, &request.batch)? {
                revision += 1;
                write_batch(&self.connection, &request.batch, revision)?;
                rows += request.batch.puts.len() + request.batch.deletes.len();
                outcomes.push(Ok(revision));
            } else {
                outcomes.push(Err(CommitError::Conflict));
            }
        }
        if revision == self.revision {
            self.connection.execute_batch("ROLLBACK")?;
            return Ok(outcomes);
        }
        self.connection.prepare_cached("UPDATE state SET revision = ?1")?.execute([revision])?;
        self.connection.execute_batch("COMMIT")?;
        self.revision = revision;
        self.rows_since_checkpoint += rows;
        Ok(outcomes)
    }

    /// Decides after a failed transaction whether the storage may go on.
    fn after_failure(&self, error: &rusqlite::Error) -> StorageError {
        let rolled_back = self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok();
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) && rolled_back {
            return StorageError::Full;
        }
        self.stop_writing(&error.to_string());
        from_sqlite_ref(error)
    }

    fn stop_writing(&self, reason: &str) {
        tracing::error!(reason, "the store takes no more writes until it is opened again");
        lock(&self.shared.read_only).get_or_insert_with(|| reason.to_owned());
        // Closing would copy the log into the file and remove it, on the word of a sync that can no longer be
        // believed. The log stays for the next start, which reads it anew.
        if let Err(error) = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            tracing::error!(%error, "the log of the store cannot be kept from being removed");
        }
    }

    /// Brings the cache to the state after `batch`. Only rows that are in it already are kept up.
    fn follow(&self, batch: &Batch, revision: Revision) {
        for key in &batch.deletes {
            self.shared.cache.remove(key.as_slice());
        }
        for (key, value) in &batch.puts {
            if self.shared.cache.peek(key.as_slice()).is_some() {
                let row = Row { revision, value: value.as_slice().into() };
                // An entry that was evicted in between needs no update.
                let _ = self.shared.cache.replace(key.as_slice().into(), row, false);
            }
        }
    }

    /// Copies the log into the file. An error here is a failed sync like any other.
    fn checkpoint_when_due(&mut self) {
        if self.rows_since_checkpoint < CHECKPOINT_AFTER_ROWS {
            return;
        }
        self.rows_since_checkpoint = 0;
        let done = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match done {
            Ok(()) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                tracing::warn!(%error, "the log of the store could not be shortened");
            }
            Err(error) => self.stop_writing(&error.to_string()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn row_at(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Row> {
    let value = row.get_ref(at + 1)?.as_blob()?;
    Ok(Row { revision: row.get(at)?, value: value.into() })
}

/// `path` without links on the way to its last part. SQLite's "no follow" refuses a link anywhere in a path.
fn below_real_folder(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder.canonicalize()?.join(name))
}

fn open_connection(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let flags =
        access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MILLISECONDS))?;
    // Small page caches: the cache of rows above serves the hot ones.
    connection.execute_batch(
        "PRAGMA cache_size = -256; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
    )?;
    Ok(connection)
}

fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    // The mode answers a row, which `execute_batch` ignores. The log is cut back only when it is far larger than what
    // comes between two checkpoints: a file that keeps its size is synced without its metadata. The cache holds the
    // pages that a few thousand secrets lie on, for checks and writes at random places.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -8192; PRAGMA secure_delete = FAST;",
    )
}

fn holds(connection: &Connection, batch: &Batch) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT revision FROM record WHERE key = ?1")?;
    for (key, expected) in &batch.preconditions {
        let revision = statement.query_row([key], |row| row.get(0)).optional()?;
        if !expected.holds(revision) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write_batch(connection: &Connection, batch: &Batch, revision: Revision) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM record WHERE key = ?1")?;
    for key in &batch.deletes {
        delete.execute([key])?;
    }
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3)")?;
    for (key, value) in &batch.puts {
        put.execute(params![key, revision, value])?;
    }
    Ok(())
}

fn from_io(error: io::Error) -> StorageError {
    if error.kind() == io::ErrorKind::StorageFull { StorageError::Full } else { StorageError::Io(error.to_string()) }
}

fn from_sqlite(error: rusqlite::Error) -> StorageError {
    from_sqlite_ref(&error)
}

fn from_sqlite_ref(error: &rusqlite::Error) -> StorageError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StorageError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageError::Damaged(error.to_string()),
        _ => StorageError::Io(error.to_string()),
    }
}
