// Asks systemd for a scope through its own program for D-Bus. No library of D-Bus is used, and nothing is looked for in PATH.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { Task } from "@nearfar/core";
import { abortError, abortSignal, options as checkOptions, throwIfAborted, wrongValue } from "@nearfar/core/internal";
import { checkControllers } from "./check-controllers.ts";
import type { Directory } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { openScope, settleKeeper } from "./keeper.ts";
import type { Controller } from "./state.ts";

const BUSCTL = "/usr/bin/busctl";
const manager = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
const FIRST_PID_NAMESPACE = "pid:[4026531836]"; // PROC_PID_INIT_INO of the kernel

const LONGEST = 255; // bytes of the name of a unit: UNIT_NAME_MAX of systemd

/** What {@link Cgroup.viaSystemd} asks for. */
export interface SystemdOptions {
	/** Whose systemd makes the scope. Default: that of the system for root, else that of the user. */
	manager?: "user" | "system";
	/** The name of the unit, which ends in `.scope`. Default: one that no other process has. */
	name?: string;
	/** The controllers that have to be there. Default: memory and pids. */
	controllers?: readonly Controller[];
	/** Gives up when aborted: no task and no scope is left. Has no effect later. */
	signal?: AbortSignal;
}

/** Checked options. */
interface ScopeRequest {
	readonly manager: "user" | "system";
	readonly name: string | undefined;
	readonly controllers: readonly string[];
	readonly signal: AbortSignal | undefined;
}

/** A scope of systemd, and the task that lives in it. */
export interface Scope {
	readonly directory: Directory;
	readonly keeper: Task;
}

/** Has systemd make a scope around a new task. If that fails, no task is left, and systemd removes the scope if it has made one. */
export async function startScope(request: ScopeRequest): Promise<Scope> {
	const { manager, controllers, signal } = request;
	throwIfAborted(signal);
	if (!existsSync(BUSCTL)) throw refusal(manager, `${BUSCTL} is missing`, "install systemd, which has it");
	if (!seesPidsOfTheManager()) throw refusal(manager, "it has other pids than this container", inContainerHint);
	const keeper = await Task.clone(signal ? { signal } : {});
	let directory: Directory | undefined;
	try {
		const unit = request.name ?? `nearfar-${process.pid}-${keeper.pid}.scope`;
		await askForScope(manager, unit, keeper.pid, signal);
		directory = await openScope(keeper, unit, signal);
		await settleKeeper(directory, keeper, controllers);
		throwIfAborted(signal);
		return { directory, keeper };
	} catch (error) {
		directory?.fd.close();
		await keeper[Symbol.asyncDispose]();
		throw error;
	}
}

/** Checks the options of a scope. */
export function checkScope(options: SystemdOptions | undefined): ScopeRequest {
	const {
		manager = process.geteuid?.() === 0 ? "system" : "user",
		name,
		controllers = ["memory", "pids"],
		signal,
	} = checkOptions(options, ["manager", "name", "controllers", "signal"]);
	if (manager !== "user" && manager !== "system") {
		throw wrongValue("options.manager", '"user" or "system"', manager);
	}
	return {
		manager,
		name: name === undefined ? undefined : checkUnit(name),
		controllers: checkControllers(controllers, "options.controllers"),
		signal: abortSignal(signal),
	};
}

function checkUnit(name: unknown): string {
	if (typeof name === "string" && /^\w[\w:.\\-]*\.scope$/.test(name) && name.length <= LONGEST) return name;
	throw wrongValue("options.name", "the name of a unit, of letters, digits and :-_.\\, which ends in .scope", name);
}

/** Returns the error where neither a directory was found nor a scope was made. */
export function bothRefused(found: CgroupError, { reason, message, hint, missing }: CgroupError): CgroupError {
	const text = `${message}; and ${found.message}`;
	return new CgroupError(reason, text, `${hint}; or ${found.hint}`, { cause: found, ...(missing && { missing }) });
}

/** Asks systemd for a scope around a process. The call returns when systemd has begun to make it. */
async function askForScope(
	whose: "user" | "system",
	unit: string,
	pid: number,
	signal: AbortSignal | undefined,
): Promise<void> {
	const properties = [
		["PIDs", "au", "1", `${pid}`],
		["Delegate", "b", "true"],
		["CollectMode", "s", "inactive-or-failed"],
	];
	const call = ["call", ...manager, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail"];
	const args = [`--${whose}`, ...call, `${properties.length}`, ...properties.flat(), "0"];
	const env = whose === "user" ? { XDG_RUNTIME_DIR: runtimeFolder() } : {};
	const { error, stderr } = await new Promise<{ error: Error | null; stderr: string }>((resolve) => {
		execFile(BUSCTL, args, { env, cwd: "/", ...(signal && { signal }) }, (error, _, stderr) =>
			resolve({ error, stderr }),
		);
	});
	if (signal?.aborted) throw abortError(signal);
	if (error) {
		const text = stderr.trim() || error.message;
		throw refusal(whose, `busctl says: ${text}`, hintFor(whose, text), error);
	}
}

/** Returns the folder with the bus of this user. */
function runtimeFolder(): string {
	return process.env.XDG_RUNTIME_DIR || `/run/user/${process.getuid?.()}`;
}

/**
 * Returns whether systemd means the same process by a pid. In a container that sees the bus of the host it would move some process
 * of the host.
 */
function seesPidsOfTheManager(): boolean {
	return (
		readlinkSync("/proc/self/ns/pid") === FIRST_PID_NAMESPACE ||
		readFileSync("/proc/1/comm", "utf8").trim() === "systemd"
	);
}

function refusal(whose: "user" | "system", why: string, hint: string, cause?: unknown): CgroupError {
	const what = whose === "user" ? "the systemd of this user" : "the systemd of the system";
	return new CgroupError("systemd", `cannot have a scope made by ${what}: ${why}`, hint, { cause });
}

const inContainerHint =
	"start the container with a writable cgroup of its own, by `--security-opt writable-cgroups=true`, or with a systemd in it";

/** Returns what to do, by what busctl says. */
function hintFor(whose: "user" | "system", text: string): string {
	if (whose === "system") {
		return /denied|authentication/i.test(text)
			? 'the systemd of the system makes scopes for root alone: pass manager: "user"'
			: "start the program on a host that was booted with systemd, and with its bus /run/dbus/system_bus_socket in sight";
	}
	if (/already (exists|loaded)|already has/i.test(text)) return "pass another name, or none";
	return "let the systemd of this user run without a login, by `loginctl enable-linger`, and install `dbus-user-session`, which has its bus";
}
