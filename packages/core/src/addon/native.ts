import type * as Binding from "../../native/binding.js";
import type { FailureData } from "../../native/binding.js";
import { NearfarError, UnsupportedPlatformError } from "../errors.ts";
import { packageFolder } from "../package-folder.ts";
import { deliver } from "./events.ts";

/** The addon: numbers, text and bytes; see `native/binding.d.ts`. */
export type Native = typeof Binding;

// The global, not "node:process": importing that opens stdin, stdout and stderr, and makes them non-blocking for everybody.
// And no other import of Node's modules in this package: each costs whoever imports it, though most are never needed.
// Functions get theirs from `process.getBuiltinModule`.
const { arch, platform } = process;
let addon: Native | undefined;
let makeError: (failure: FailureData) => Error = () =>
	new NearfarError("INTERNAL", "@nearfar/core was not loaded whole");

/** Says how to make the error for a failure that the addon reports. Called once, before the addon is loaded. */
export function setMakeError(make: typeof makeError): void {
	makeError = make;
}

/**
 * Returns the addon, loaded and attached to this thread on the first call.
 *
 * @throws `UnsupportedPlatformError` where there is none for this platform.
 */
export function native(): Native {
	addon ??= load();
	return addon;
}

/** Delivers the events that the addon has posted. The addon calls it, and code that cannot wait until the addon does. */
export function dispatch(): void {
	deliver(native().drain());
}

function load(): Native {
	const names = ["gnu", "musl"].map((libc) => `linux-${arch}-${libc}`);
	if (platform !== "linux" || !["x64", "arm64"].includes(arch)) {
		throw new UnsupportedPlatformError(`nearfar needs Linux on x64 or arm64, this is ${platform} on ${arch}`);
	}
	noticeOtherCopy();
	const { existsSync } = process.getBuiltinModule("node:fs");
	const folder = packageFolder();
	const require = process.getBuiltinModule("node:module").createRequire(`${folder}package.json`);
	const tried: string[] = [];
	for (const name of names) {
		const built = `${folder}native/nearfar.${name}.node`;
		const file = existsSync(built) ? built : packaged(require, name);
		if (file === undefined) {
			tried.push(`@nearfar/core-${name} is not installed`);
			continue;
		}
		try {
			const loaded: Native = require(file);
			loaded.attach(dispatch, makeError, `${file.slice(0, file.lastIndexOf("/"))}/nearfar-stub`);
			return loaded;
		} catch (error) {
			tried.push(`${file}: ${error instanceof Error ? error.message : error}`);
		}
	}
	throw new UnsupportedPlatformError(`nearfar found no addon for linux on ${arch}: ${tried.join("; ")}`);
}

function packaged(require: NodeJS.Require, name: string): string | undefined {
	try {
		return require.resolve(`@nearfar/core-${name}/nearfar.${name}.node`);
	} catch {
		return undefined;
	}
}

/** Handles of one copy mean nothing to another: whoever installed two should know. */
function noticeOtherCopy(): void {
	const key = Symbol.for("@nearfar/core");
	const shared = globalThis as { [key]?: string };
	const here = packageFolder();
	if (shared[key] !== undefined && shared[key] !== here) {
		process.emitWarning(
			`two copies of @nearfar/core are in use, ${shared[key]} and ${here}: objects of one are refused by the other`,
			"NearfarDuplicateWarning",
		);
	}
	shared[key] ??= here;
}
