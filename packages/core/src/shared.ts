/** What the slices share, but for the tables: it lies in the same file of dist as the public names, as it shares their state. */
export * from "./arguments.ts";
export * from "./child-state.ts";
export { endTask } from "./clone.ts";
export { forget, keepAlive, listen } from "./events.ts";
export { copyEnvironment } from "./exec.ts";
export { pidsOfPidfd } from "./fdinfo.ts";
export * from "./flags.ts";
export { native } from "./native.ts";
export { refuseOneThread } from "./own-thread.ts";
export { followedPath, pathText, toAt, toPath } from "./path.ts";
export { fillArrays } from "./raw.ts";
export { signalName, signalNumber } from "./signal.ts";
export { afterSuccess, currentBatch, currentTask } from "./target.ts";
export { toWanted, waitBits } from "./waiters.ts";
