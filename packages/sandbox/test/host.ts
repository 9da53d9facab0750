import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { type CloneOptions, Task } from "@nearfar/core";
import { run, type SpawnOptions } from "@nearfar/process";
import { expect } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { isRoot } from "../../../test/needs.ts";
import type { Report, ReportItem, SandboxOptions } from "../src/index.ts";
import { folder } from "./attempts.ts";

/** What the fixture reports of its host. */
export interface Asked {
	report: Report;
	outcome: {
		name?: string;
		code: string | number;
		stdout?: string;
		message: string;
		step: string;
		hint: string;
		items: readonly ReportItem[];
		guarantees: Record<string, unknown>;
	};
	ran: boolean;
}

/** A mount namespace in which the user stays who it is. */
const mounts: CloneOptions = isRoot ? { namespaces: ["mnt"] } : { namespaces: ["user", "mnt"], idMap: "identity" };

/** What a test does to the host of the fixture. */
export interface Host extends SpawnOptions {
	/** Changes the mount namespace of a task that is the parent of the fixture. */
	prepare?: (at: string) => void;
	/** The task. Default: one in a mount namespace in which the user stays who it is. */
	clone?: CloneOptions;
	/** The words before `node`: a program that starts the fixture. Default: none. */
	wrapper?: readonly string[];
	/** Options of the sandbox, and the command. */
	sandbox?: SandboxOptions & { file?: string; args?: readonly string[] };
	/** The folder that the sandbox writes. Default: one of its own. */
	at?: string;
}

/** Runs the fixture in a mount namespace of its own, and returns what it reports. */
export async function ask({
	prepare,
	sandbox = {},
	clone = mounts,
	wrapper = [],
	at = folder(),
	...options
}: Host): Promise<Asked> {
	chmodSync(at, 0o777);
	await using task = await Task.clone(clone);
	task.run(() => prepare?.(at));
	const node = [process.execPath, fixturePath("sandbox/host"), at, JSON.stringify(sandbox)];
	const [file = "", ...args] = [...wrapper, ...node];
	const { stdout, stderr } = await run(file, args, {
		parent: task,
		cwd: at,
		...options,
	});
	expect(stderr).toBe("");
	expect(existsSync(join(at, "ran"))).toBe(JSON.parse(stdout).ran);
	return JSON.parse(stdout);
}
