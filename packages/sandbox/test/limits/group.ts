import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cgroup } from "@nearfar/cgroup";
import { groupWithLimits, has, needs } from "../../../../test/needs.ts";
import { run, type Sandbox } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process

/** Tests that need groups with limits. Other hosts skip them. */
export const limited = needs("groups of cgroup v2 with limits");

export const MiB = 1024 * 1024;
export const closed = { preset: "closed" } as const;

/** A shell that takes more and more memory. */
export const bomb = "tail /dev/zero";

/** The helper of `@nearfar/cgroup` and the ids of root's sandboxes live as long as this process. */
if (has("groups of cgroup v2 with limits")) await run("true", [], { ...closed, limits: { memory: 64 * MiB } });

/** The path of the group in which the sandboxes of these tests make theirs. */
export const base: string = groupWithLimits() ?? "";

/** Opens the group of {@link base}. */
export function openBase(): Cgroup {
	return Cgroup.open(base);
}

/** Returns the groups of sandboxes of this process. */
export function groups(): string[] {
	return readdirSync(base).filter((name) => name.startsWith(`nearfar-${process.pid}-`));
}

/** Returns the text of a file of the only group of this process. */
export function fileOf(...path: string[]): string {
	const [name = "none", ...more] = groups();
	if (more.length > 0) throw new Error(`${more.length + 1} groups instead of one`);
	return readFileSync(join(base, name, ...path), "utf8").trim();
}

/** Returns the kinds and names of violations. */
export function kinds({ violations }: { violations: readonly { kind: string; what: string }[] }): string[] {
	return violations.map(({ kind, what }) => `${kind} ${what}`);
}

/** Returns the lines that a command in an open sandbox prints. */
export async function lines(sandbox: Sandbox, script: string): Promise<string[]> {
	return (await sandbox.run("sh", ["-c", script])).check().stdout.trim().split("\n");
}
