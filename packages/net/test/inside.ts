import { type CloneOptions, Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import type { SocketAddress } from "@nearfar/net";

/** Options for a task with a network of its own, which an ordinary user may make. */
export const network = { namespaces: ["user", "net"], idMap: "root" } as const satisfies CloneOptions;

/** Makes a task with a network of its own, in which the loopback device is up. */
export async function inside(): Promise<Task> {
	const task = await Task.clone(network);
	task.run(loopbackUp);
	return task;
}

/** Returns the port of an address. */
export function portOf(address: SocketAddress | string | null | { port: number }): number {
	if (address !== null && typeof address === "object" && "port" in address) return address.port;
	throw new Error(`no address with a port: ${address}`);
}

/** Returns how many descriptors a task has. */
export function openIn(task: Task<Task["process"]>, numbers = 64): number {
	const SYS_fcntl = process.arch === "arm64" ? 25 : 72;
	let open = 0;
	for (let fd = 0; fd < numbers; fd++) {
		try {
			task.syscall(SYS_fcntl, fd, 1);
			open++;
		} catch {}
	}
	return open;
}
