// A Node in a mount namespace of its own. When asked, the program binds its root read-only many times, with everything that is
// mounted below, and reports the time of one bind.
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Task } from "@nearfar/core";
import { bind, umount } from "@nearfar/mount";
import { type Operation, wall } from "./clock.ts";
import { spawned } from "./spawn.ts";

const place = mkdtempSync(join(tmpdir(), "nearfar-"));
const task = await Task.clone();
/** Unmounts after the time was taken. */
const mounted = { [Symbol.asyncDispose]: async () => task.run(() => umount(place, { flags: ["detach"] })) };

const operations: Record<string, Operation> = {
	async bind() {
		task.run(() => bind("/", place, { set: ["rdonly"] }));
		return mounted;
	},
	async mount() {
		await spawned("mount", ["--rbind", "/", place]);
		await spawned("mount", ["-o", "remount,bind,ro", place]);
		return mounted;
	},
};

process.on("message", async (name: string) => {
	process.send?.(await wall(20, operations[name] as Operation));
});
process.on("disconnect", async () => {
	await task.exit();
	rmdirSync(place);
});
process.send?.(0);
