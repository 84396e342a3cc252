/** Every bound of the program, with its unit in the name and its reason beside it. */
export const limits = {
  /** SQLite's smallest and largest page. */
  pageSizeMinBytes: 512,
  pageSizeMaxBytes: 65_536,
  /** One read or write of bulk data: large enough that the call costs nothing, small enough for many of them at once. */
  transferBytes: 256 << 10,
  /** So much of a file is written before the device is asked to begin: a sync of less costs more than it saves. */
  earlySyncBytes: 32 << 20,
  /** So much of it may wait before who writes waits for the device. */
  earlySyncMaxBytes: 128 << 20,
  /** A restore reads WAL and snapshot in such pieces; two are in memory, since the next one is read meanwhile. */
  restoreChunkBytes: 2 << 20,
  /** Memories of LZ4 kernels kept for the next one: one that encodes (8 MiB) and one that decodes (12 MiB). */
  lz4IdleKernelsMax: 2,
  /** What a skippable LZ4 frame of ours holds is read whole; commit records of a million commits stay below this. */
  lz4TrailerMaxBytes: 64 << 20,
  /** Damaged commit records at the end of a log are passed over one by one up to so many bytes: of 260,000 commits. */
  tornRecordsMaxBytes: 16 << 20,
  /** What is first read of an age object: header and first chunk, which is all of most. */
  ageFirstReadBytes: 68 << 10,
  /** The header of an age object with 10,000 recipients; a longer one is none. */
  ageHeaderMaxBytes: 1 << 20,
  /** Decrypted chunks of 64 KiB that an open age object keeps for reads that take less than one at a time. */
  ageChunksKept: 4,
  /** A restore of a smaller database has ended before another thread would have begun. */
  pageWriterMinBytes: 32 << 20,
  /** A database is no larger than so many times what snapshot and WAL bring of it, and this: what was never written is zeros. */
  databaseToBroughtMax: 16,
  databaseUnbroughtMaxBytes: 256 << 20,
  /** Pages that a restore collects before it writes them in page order. */
  restoreBatchBytes: 6 << 20,
  /** Blocks of 4 KiB of a page table that are in memory: those of 131,072 pages, 512 MiB of database. */
  pageTableBlocks: 256,
  /** Of a larger database than 1 TiB of 4 KiB pages, 2 GiB of values, no past states are proven. */
  carriedPagesMax: 1 << 28,
  /** Values of one transaction that wait in memory for its end; those of a larger one go to the table before. */
  pendingPagesMax: 16_384,
  /** So many pages that differ are never worth a snapshot. */
  resyncPagesAlways: 256,
  /** What is kept of the pages that past indexes changed; beyond that it begins anew. */
  indexChangesMaxBytes: 16 << 20,
  /** A replica that is more indexes behind gets a snapshot: each index between is an object, or two. */
  catchUpIndexesMax: 1_000,
  /** Folders of a place that is no replica which are looked into, to say what it is instead. */
  foldersLookedInto: 64,
  /** So much of a replica's newest index is compared before anything is written behind it. */
  endComparedBytes: 64 << 20,
  /** What one capture may append before other work gets a turn on the event loop: some 10 ms. */
  captureSliceBytes: 8 << 20,
  /** Calls to devices that may hang; the run-time has 32 threads for all calls, and what captures needs some at any time. */
  deviceCallsAtOnce: 16,
  /** SQLite recovers so much of a WAL that is in memory within some 4 ms; a longer one is recovered beside other work. */
  recoveredAtOnceBytes: 8 << 20,
  /** A hold that stands still longer makes the application's own RESTART and TRUNCATE wait. */
  handOverMs: 50,
  /** The write lock is meant to be held no longer than this. */
  lockBudgetMs: 50,
  /** A tail longer than this is captured before the write lock is asked for, not under it. */
  pauseTailMaxBytes: 4 << 20,
  /** Least time between two pauses in which writers wait for a checkpoint of ours. */
  writersUndisturbedMs: 150,
  /** Frames in the WAL from which a checkpoint is tried: below SQLite's 1,000, above which each commit runs one itself. */
  minCheckpointPages: 700,
  /** While a first snapshot is being made checkpoints wait, but not beyond this many frames. */
  maxCheckpointPages: 10_000,
  /** An application that pauses gets a complete checkpoint after this long. */
  checkpointIntervalMs: 60_000,
  /** Least time between two syncs that make an object each, where the config does not say. */
  objectSyncIntervalMs: 1_000,
  /** A replica to which nothing was written for so long keeps no file open: its device may be unmounted. */
  replicaRestsAfterMs: 1_000,
  /** While a snapshot of a replica that is kept up is made, it gets what was captured after so long. */
  syncWhileSnapshotMs: 100,
  /** The retry pause after an error doubles from the first to the second. */
  retryMinMs: 100,
  retryMaxMs: 10_000,
  /** At the end, when every second counts, the pause grows no further than this. */
  lastTryPauseMaxMs: 1_000,
  /** A stop goes on trying for so long where the config does not say; most supervisors wait longer before they kill. */
  shutdownTimeoutMs: 30_000,
  /** A generation of another host is let go only when it was silent for so much longer than the retention. */
  abandonedGraceMs: 24 * 3_600_000,
  /** Timers count milliseconds in 31 bits; one that is set for longer fires at once. */
  intervalMaxMs: 2_147_483_647,
  /** No date is later; whoever makes one of a number that is gets none. */
  latestMs: 8_640_000_000_000_000,
  /** Ages are compared with such a period, or it is slept in parts: the longest duration of Litestream's, 292 years. */
  periodMaxMs: 9_223_372_036_854,
  /** What is read whole as text, and is no config: the system's own lists are the longest. */
  textFileMaxBytes: 16 << 20,
  /** A config of 10,000 databases with long paths and names stays below this; anything larger is some other file. */
  configMaxBytes: 4 << 20,
  /** What YAML is made of: words, signs, white space. 10,000 databases have 250,000; each takes some 250 bytes when it is read. */
  configTokensMax: 500_000,
  /** A config through a pipe, which another program may only be making. */
  pipedConfigMs: 60_000,
  /** One process follows no more of them: each has some five files open, and a thread's share of everything else. */
  databasesMax: 10_000,
  /** Members of lists in a config, counted again where an alias repeats them. */
  configItemsMax: 100_000,
  /** Places of replicas and states that are looked at side by side; a device that hangs makes all of them wait. */
  placesAtOnce: 500,
  /** Of messages that nobody has read yet; more are lost. Some minutes of a log that says a lot. */
  outputQueueMaxBytes: 256 << 10,
  /** So long the end of the program waits for a reader of its messages that takes nothing. */
  outputStillMaxMs: 1_000,
  /** A replica that is behind and has not moved for so long, beyond the pause between two syncs, is no longer well. */
  replicaStillMaxMs: 60_000,
  /** A replica is looked at so often while nothing is written, where the config does not say: each costs four listings. */
  replicaCheckMs: 300_000,
  /** What is wrong still is said again after so long. */
  saidAgainMs: 3_600_000,
  /** Nor is a database whose looks take so long, beyond the pause between two: a large checkpoint takes a while. */
  databaseUnseenMaxMs: 300_000,
  /** A second signal so soon after the first is the same wish, told by two: a supervisor and a terminal. */
  sameSignalMs: 1_000,
  /** A database that is waited for is often one whose path is wrong: said as a warning after so long. */
  absentWarningMs: 60_000,
  /** And trouble after so long, where the config does not say. */
  absentAfterMs: 300_000,
  /** A proof is to come every night; one night may be missed before anybody is told. */
  provenWithinMs: 48 * 3_600_000,
  /** What is known of a replica by its verifications: some runs, of a few kilobytes each. */
  proofMaxBytes: 1 << 20,
  /** The answer to a check; one that counts or compares is shorter by far. */
  answerMaxBytes: 1 << 20,
  /** What SQLite may take while it answers checks of a database that may be a trap, and all columns of a row of it. */
  queryHeapMaxBytes: 64 << 20,
  queryRowMaxBytes: 16 << 20,
  /** Clocks of two hosts differ by seconds; a time that lies further ahead than this is wrong. */
  clockAheadMaxMs: 60_000,
  /** The end of the year 9999, the last that a calendar of four digits has. */
  recordTimeMaxMs: 253_402_300_799_999,
  /** Commits that are on no replica for so long, while nobody brings them: a daemon that is restarted takes less. */
  unreplicatedMaxMs: 300_000,
  /** A process that is asked how a database stands answers within milliseconds, unless it is stopped or hangs. */
  daemonAnswerMs: 3_000,
  /**
   * One answer of a replica's device, for who reads all of it: a disk that spins up, a folder that is mounted at the first
   * look, and a server that is started again take less, or it hangs. And for who only asks how things stand.
   */
  deviceAnswerMaxMs: 60_000,
  deviceGlanceMs: 10_000,
  /** Of the device of a config, a database or its state: nothing can be done without it, so it is waited for longer. */
  configAnswerMaxMs: 120_000,
  /** One connection to `addr`, from its first byte to its last: whoever asks over the slowest network needs less. */
  httpConnectionMaxMs: 10_000,
  /**
   * Connections at once. Beyond, the one that is there longest is closed: during a flood, at the rate below, each has a
   * third of a second to send its request, which on a busy machine a scraper needs.
   */
  httpConnectionsMax: 64,
  /** A request of any browser or scraper is shorter. */
  httpHeadMaxBytes: 8 << 10,
  /** Reads of a request's head, and as many of the body that nobody wants: bytes that come one by one cost a read each. */
  httpReadsMax: 32,
  /** Connections taken, in the long run, and how far a burst of them may be ahead of that: what it costs is replication's. */
  httpConnectionsPerSecondMax: 200,
  httpBurstMs: 500,
  /** For what is worked on an answer, so much longer no connection is taken: a tenth of the time is the pages'. */
  httpRestPerWork: 9,
  /** Whoever asks within so long of another is told the same: with many databases a look at all of them takes a while. */
  healthFreshMs: 250,
  /** No connection is taken with fewer files left that may be opened: replication needs them, a Worker's start 8. */
  httpSpareDescriptors: 32,
  /** When none can be taken, that is tried again so soon. */
  httpTryAgainMs: 1_000,
  /** A scheduled verification that takes longer hangs: a terabyte from a disk of 100 MB/s is read in three hours. */
  scheduledVerifyMaxMs: 24 * 3_600_000,
  /** What was killed has ended by then, unless the system holds it in a call. */
  killedMaxMs: 10_000,
  /** A verification that is due and cannot be started, as with too many open files, is tried again so soon. */
  verifyAgainMs: 60_000,
  /** A port that another process has is asked for again so often. */
  listenAgainMs: 10_000,
  /** Generations begun within a minute; beyond that something is wrong that another one does not mend. */
  generationsPerMinuteMax: 5,
  /** Each reads the whole database once; a doubt that comes back more often is not mended by one more. */
  resyncsPerMinuteMax: 20,
} as const;
