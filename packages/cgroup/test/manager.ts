import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Task } from "@nearfar/core";
import { Cgroup } from "../src/index.ts";

const PATIENCE = 60_000; // milliseconds until the manager has its bus

/** A systemd of this user, in a cgroup that this process has made. Its bus is what `XDG_RUNTIME_DIR` names meanwhile. */
export class Manager implements AsyncDisposable {
	readonly #group: Cgroup;
	readonly #folder = mkdtempSync(join(tmpdir(), "nearfar-manager-"));
	readonly #before = process.env.XDG_RUNTIME_DIR;

	private constructor(group: Cgroup) {
		this.#group = group;
	}

	/** Starts one, and waits until it answers. */
	static async start(): Promise<Manager> {
		await using parent = Cgroup.find({ controllers: [] });
		parent.enable(["memory", "pids"].filter((name) => parent.controllers.includes(name)));
		const manager = new Manager(parent.create(`manager-${process.pid}`));
		try {
			await manager.#begin();
			return manager;
		} catch (error) {
			await manager[Symbol.asyncDispose]();
			throw error;
		}
	}

	async #begin(): Promise<void> {
		const folder = this.#folder;
		process.env.XDG_RUNTIME_DIR = folder;
		const env = { XDG_RUNTIME_DIR: folder, HOME: folder, PATH: process.env.PATH ?? "" };
		const task = await Task.clone({ cgroup: this.#group });
		task.exec("/lib/systemd/systemd", ["systemd", "--user"], { env });
		const sockets = ["systemd/private", "bus"].map((name) => join(folder, name));
		const deadline = Date.now() + PATIENCE;
		while (!sockets.every((path) => existsSync(path))) {
			if (Date.now() > deadline) throw new Error(`systemd did not start: ${task.state}`);
			await setImmediate();
		}
	}

	/** Runs `systemctl --user`, and returns its output. */
	systemctl(...args: string[]): string {
		const { stdout, stderr } = spawnSync("/usr/bin/systemctl", ["--user", ...args], { encoding: "utf8" });
		return stdout + stderr;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#before === undefined) delete process.env.XDG_RUNTIME_DIR;
		else process.env.XDG_RUNTIME_DIR = this.#before;
		await this.#group.remove();
		rmSync(this.#folder, { recursive: true, force: true });
	}
}
