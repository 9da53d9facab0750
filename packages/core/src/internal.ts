/** What the slices share. Not public: it changes whenever they need it to. */
export * from "./arguments.ts";
export * from "./flags.generated.ts";
export * from "./flags.ts";
export { native } from "./native.ts";
export { pathText, toAt, toPath } from "./path.ts";
export { signalName, signalNumber } from "./signal.ts";
export { afterSuccess, currentBatch, currentTask } from "./target.ts";
