/** What the packages share, except the tables of flags. It lies in the same file of dist as the public names, because it shares their state. */

export { abortable, abortError, throwIfAborted } from "./abortable.ts";
export { forget, listen } from "./addon/events.ts";
export * from "./addon/flags.ts";
export { keepAlive } from "./addon/keep-alive.ts";
export { native } from "./addon/native.ts";
export * from "./arguments.ts";
export { outsideOtherCopies } from "./copies.ts";
export { adoptDescriptor, checkDescriptor, numberOf, ownsNumber, runInOwner } from "./files/descriptor.ts";
export { type Encoding, toEncoding } from "./files/encoding.ts";
export { followedPath, refuseNotFollowed, toAt, toPath } from "./files/location.ts";
export { pathText } from "./files/path.ts";
export { openProcessFolder, pidOfPidfd } from "./files/pidfd.ts";
export { sharersOf } from "./identity.ts";
export * from "./process/child-state.ts";
export { holdChild, livingChild, visiblePid } from "./process/child-tracker.ts";
export { signalName, signalNumber } from "./process/signal.ts";
export { toAsked, toWanted, waitBits } from "./process/waiters.ts";
export { type LogMessage, logLines } from "./target/context-log.ts";
export { shownData } from "./target/mount-data.ts";
export { refuseOneThread } from "./target/own-thread.ts";
export { type AnyTask, afterSuccess, currentBatch, currentTask, taskOf, withFile } from "./target/target.ts";
export { endTask } from "./task/end.ts";
export { executeFor } from "./task/exec.ts";
export { copyEnvironment } from "./task/exec-options.ts";
export { changesSignals, entersNamespaces, makesNamespaces, ownNamespaces } from "./task/namespaces.ts";
export { fillArrays } from "./task/raw.ts";
export { taskId } from "./task/state.ts";
