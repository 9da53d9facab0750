/** What the packages share, except the tables of flags. It lies in the same file of dist as the public names, because it shares their state. */

export { abortable, abortError, throwIfAborted } from "./abortable.ts";
export { forget, listen } from "./addon/events.ts";
export * from "./addon/flags.ts";
export { keepAlive } from "./addon/keep-alive.ts";
export { native } from "./addon/native.ts";
export { intBytes, onSocket } from "./addon/on-socket.ts";
export { once } from "./addon/request.ts";
export * from "./arguments.ts";
export { outsideOtherCopies } from "./copies.ts";
export { ChangeWatch } from "./files/change-watch.ts";
export {
	adoptDescriptor,
	changeClass,
	checkDescriptor,
	type DescriptorClass,
	numberOf,
	ownsNumber,
	runInOwner,
} from "./files/descriptor.ts";
export { type Encoding, toEncoding } from "./files/encoding.ts";
export { followedPath, refuseNotFollowed, toAt, toPath } from "./files/location.ts";
export { namespaceFlag, namespaceId, namespaceRequests } from "./files/namespace-file.ts";
export { openOwnProc } from "./files/own-proc.ts";
export { pathText } from "./files/path.ts";
export { isReaped, openProcessFolder, pidfdInfo, pidInProc, pidOfPidfd } from "./files/pidfd.ts";
export { type NamespaceLink, openNamespaceOf } from "./files/pidfd-namespace.ts";
export { readAll } from "./files/read-all.ts";
export { sharersOf } from "./identity.ts";
export { nearest } from "./nearest.ts";
export { mayAsk } from "./obstacles/ask.ts";
export { mountThatHolds, parseMounts, type SeenMount, statusOf } from "./obstacles/look.ts";
export { hintForNamespaces } from "./obstacles/namespace-hint.ts";
export { hintForNoNamespace } from "./obstacles/no-namespace-hint.ts";
export { hintForNetwork } from "./obstacles/refusal.ts";
export { foldersOfCgroup } from "./probe/cgroup.ts";
export { capabilityBit, capabilityBits, hasCapability, setpcap } from "./process/capability-bits.ts";
export * from "./process/child-state.ts";
export { holdChild, livingChild, visiblePid } from "./process/child-tracker.ts";
export { isTask, withNearDescriptor, withPidfd } from "./process/process-like.ts";
export * from "./process/secure-bits.ts";
export { signalName, signalNumber } from "./process/signal.ts";
export { checkUser, MOST_GROUPS, resolveUser, type UserIds } from "./process/users.ts";
export { toAsked, toWanted, waitBits } from "./process/waiters.ts";
export { type LogMessage, logLines } from "./target/context-log.ts";
export { onEveryThread, refuseEveryThread } from "./target/every-thread.ts";
export { addHint, type Explain, explained } from "./target/explained.ts";
export { shownData } from "./target/mount-data.ts";
export { refuseOneThread } from "./target/own-thread.ts";
export { type AnyTask, afterSuccess, currentBatch, currentTask, isInNode, taskOf, withFile } from "./target/target.ts";
export { type CgroupPlace, cgroupPlace } from "./task/cgroup-like.ts";
export { whileDumpable } from "./task/dumpable.ts";
export { endTask } from "./task/end.ts";
export { executeFor } from "./task/exec.ts";
export { copyEnvironment } from "./task/exec-options.ts";
export { refuseFirstChild } from "./task/first-child.ts";
export { endHelpers, inHelper } from "./task/helper.ts";
export { checkMaps } from "./task/idmap.ts";
export { changesSignals, entersNamespaces, makesNamespaces, ownNamespaces } from "./task/namespaces.ts";
export { fillArrays } from "./task/raw.ts";
export { taskId, threadId } from "./task/state.ts";
