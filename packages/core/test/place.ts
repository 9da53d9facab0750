import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { Task } from "../src/index.ts";

/** Makes a folder and a task for the tests of a file, and removes them after the last test. */
export function makePlace(): { readonly folder: string; task: Task } {
	const place = { folder: mkdtempSync(join(tmpdir(), "nearfar-place-")) } as { folder: string; task: Task };
	beforeAll(async () => {
		place.task = await Task.clone();
	});
	afterAll(async () => {
		await place.task[Symbol.asyncDispose]();
		rmSync(place.folder, { recursive: true });
	});
	return place;
}
