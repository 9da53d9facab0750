import type * as Binding from "../../native/binding.js";
import { NearfarError, UnsupportedPlatformError } from "../errors.ts";
import { packageFolder } from "../package-folder.ts";

/** The functions of the addon, which take and return numbers, text and bytes. */
export type Native = typeof Binding;

// The global `process`, because importing "node:process" opens stdin, stdout and stderr, and makes them nonblocking for all
// processes that share them. This package imports no other module of Node either: each would slow down the import of
// @nearfar/core, and most programs need few of them. Functions that need a module call `process.getBuiltinModule`.
const { arch, platform } = process;

/** Loads the addon from its file. The stub lies beside that file. Throws the errors of `native()`. */
export function loadAddon(): { readonly addon: Native; readonly stub: string } {
	if (platform !== "linux" || !["x64", "arm64"].includes(arch)) {
		throw new UnsupportedPlatformError(
			`cannot make system calls on ${platform} ${arch}: nearfar needs Linux on x64 or arm64`,
		);
	}
	const refusals: string[] = [];
	for (const { name, file } of addonFiles()) {
		if (file === undefined) {
			refusals.push(`@nearfar/core-${name} is not installed`);
			continue;
		}
		try {
			const addon: Native = process.getBuiltinModule("node:module").createRequire(file)(file);
			return { addon, stub: `${file.slice(0, file.lastIndexOf("/"))}/nearfar-stub` };
		} catch (error) {
			refuseWithoutPermission(error);
			refusals.push(`${file}: ${error instanceof Error ? error.message : error}`);
		}
	}
	if (process.permission?.has("fs.read") === false) {
		throw permissionError(
			`Node may not read all files, and finds no addon among those that it may (${refusals.join("; ")}): start Node with --allow-fs-read for the folders of @nearfar/core and of @nearfar/core-linux-${arch}-gnu or -musl`,
		);
	}
	throw new UnsupportedPlatformError(
		`cannot load the addon of nearfar for linux ${arch}: ${refusals.join("; ")}; install @nearfar/core with its optional dependencies`,
	);
}

/** Returns the files that the addon may be in, one for each C library. `undefined` stands for a package that is missing. */
function addonFiles(): { readonly name: string; readonly file: string | undefined }[] {
	try {
		const folder = packageFolder();
		if (folder !== undefined) return ["gnu", "musl"].map((libc) => addonFile(folder, `linux-${arch}-${libc}`));
	} catch (error) {
		refuseWithoutPermission(error);
		throw error;
	}
	throw new NearfarError(
		"BUNDLED",
		"this file was bundled: keep @nearfar/* external, because the addon lies beside the files of @nearfar/core; docs/bundling.md has the option of each bundler",
	);
}

function addonFile(folder: string, name: string): { readonly name: string; readonly file: string | undefined } {
	const built = `${folder}native/nearfar.${name}.node`;
	if (process.getBuiltinModule("node:fs").existsSync(built)) return { name, file: built };
	const require = process.getBuiltinModule("node:module").createRequire(`${folder}package.json`);
	try {
		return { name, file: require.resolve(`@nearfar/core-${name}/nearfar.${name}.node`) };
	} catch (error) {
		if ((error as { code?: string }).code === "MODULE_NOT_FOUND") return { name, file: undefined };
		throw error;
	}
}

/** Throws an error of its own if Node's permission model, or `--no-addons`, refused to load the addon or to read its file. */
function refuseWithoutPermission(error: unknown): void {
	const { code, resource } = error as { code?: string; resource?: string };
	if (code === "ERR_DLOPEN_DISABLED") {
		throw permissionError(
			"Node may not load addons, and nearfar is one: start Node with --allow-addons beside --permission, and without --no-addons",
		);
	}
	if (code === "ERR_ACCESS_DENIED") {
		throw permissionError(
			`Node may not read ${resource ?? "the files of @nearfar/core"}: start Node with --allow-fs-read for the folders of @nearfar/core, and with --allow-addons`,
		);
	}
}

function permissionError(message: string): NearfarError {
	return new NearfarError("PERMISSION", message);
}
