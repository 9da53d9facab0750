import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mkdir, openat2, symlink, Task } from "@nearfar/core";
import { tmpfs } from "@nearfar/mount";

/** A folder with the files `file`, `link` (to `file`), `dangling` and `folder`, and where the calls on them are made. */
export interface FilePlace extends AsyncDisposable {
	/** Runs `fn` where the files are. */
	run<T>(fn: () => T): T;
	/** Returns the path of a file. */
	at(name: string): string;
}

/** Makes the files of a {@link FilePlace} in a temporary folder, for calls of this process. */
export function nearPlace(): FilePlace {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-caps-"));
	chmodSync(folder, 0o755);
	const at = (name: string) => join(folder, name);
	writeFileSync(at("file"), "");
	symlinkSync("file", at("link"));
	symlinkSync("nothing", at("dangling"));
	mkdirSync(at("folder"));
	return {
		run: (fn) => fn(),
		at,
		async [Symbol.asyncDispose]() {
			rmSync(folder, { recursive: true });
		},
	};
}

/** Makes the files of a {@link FilePlace} on a tmpfs of a task that is root in a user namespace of its own. */
export async function farPlace(): Promise<FilePlace & { readonly task: Task }> {
	const task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	const at = (name: string) => join("/tmp", name);
	task.run(() => {
		tmpfs("/tmp");
		makeFile(at("file"));
		symlink("file", at("link"));
		symlink("nothing", at("dangling"));
		mkdir(at("folder"));
	});
	return {
		task,
		run: (fn) => task.run(fn),
		at,
		[Symbol.asyncDispose]: () => task[Symbol.asyncDispose](),
	};
}

/** Makes an empty file with calls of the current task. */
export function makeFile(path: string, mode = 0o755): void {
	openat2(path, { flags: ["creat", "wronly"], mode }).close();
}
