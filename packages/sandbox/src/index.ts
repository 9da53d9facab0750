export { type ChildProcess, ExitError, type PathLike, type Signal } from "@nearfar/core";
export type { Stdio } from "@nearfar/process";
export type { Started } from "./command/command.ts";
export type { Reason, Result, Usage } from "./command/result.ts";
export { doctor, type Report } from "./doctor.ts";
export { SandboxError, type SandboxErrorKind } from "./errors.ts";
export type { Guarantee, Guarantees } from "./guarantees.ts";
export type { ReportItem } from "./host/items.ts";
export type { Published, PublishOptions } from "./network/network.ts";
export type { NetworkOptions, NetworkRequest } from "./network/options.ts";
export type { PlannedNetwork } from "./network/planned.ts";
export type {
	Glob,
	Limits,
	MadeFile,
	OfOneCommand,
	RunOptions,
	SandboxOptions,
	StartOptions,
	Without,
} from "./options.ts";
export type { PlannedRule } from "./paths/allowed.ts";
export type { Kind } from "./paths/layout.ts";
export type { Link } from "./paths/links.ts";
export { type Plan, type PlannedMount, plan } from "./plan.ts";
export { Sandbox } from "./sandbox.ts";
export { run, start } from "./start.ts";
export type { Pty } from "./tty/pty.ts";
export type { Violation } from "./violations.ts";
