import { readFileSync } from "node:fs";
import type { CloneOptions } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { has } from "../../../test/needs.ts";
import { type Sandbox, sandbox } from "./sandbox.ts";

type Kinds = NonNullable<CloneOptions["namespaces"]>;

/** Options for a task with these namespaces, and a user namespace of its own in any case. */
export function ownUser(...kinds: Kinds): CloneOptions {
	return { namespaces: ["user", "mnt", ...kinds], idMap: "root" };
}

/** Options for a task with these namespaces, and a user namespace only where this user has no privilege otherwise. */
export function withPrivilege(...kinds: Kinds): CloneOptions {
	return has("root") ? { namespaces: ["mnt", ...kinds] } : ownUser(...kinds);
}

let files = 0;

/** Runs a script of the shell in a child of the task. Returns what the script wrote to both outputs, and its exit code. */
export async function runScript(box: Sandbox, script: string): Promise<{ text: string; code: number | null }> {
	const name = `output-${files++}`;
	box.file(name);
	const child = await box.task.clone();
	const program = child.exec("/bin/sh", ["sh", "-c", `exec > ${box.inside(name)} 2>&1\n${script}`], {
		env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" },
	});
	const { code } = await program.exited;
	return { text: readFileSync(box.outside(name), "utf8").trimEnd(), code };
}

/** A task whose mounts are all shared, but for its small tmpfs: a host as systemd leaves it, with one private place. */
export async function sharedHost(): Promise<Sandbox> {
	const host = await sandbox(withPrivilege());
	host.task.run(() => {
		mount(null, "/", null, { flags: ["rec", "shared"] });
		mount(null, host.inside(), null, { flags: ["private"] });
	});
	return host;
}
