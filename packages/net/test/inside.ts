import { type CloneOptions, Task } from "@nearfar/core";
import { type SocketAddress, socket } from "@nearfar/net";

/** Options for a task with a network of its own, which an ordinary user may make. */
export const network = { namespaces: ["user", "net"], idMap: "root" } as const satisfies CloneOptions;

const SYS_ioctl = process.arch === "arm64" ? 29 : 16;
const [SIOCSIFFLAGS, IFF_UP] = [0x8914, 1];

/** Makes a task with a network of its own, in which the loopback device is up. */
export async function inside(): Promise<Task> {
	const task = await Task.clone(network);
	raiseLoopback(task);
	return task;
}

/** Sets the loopback device of a task's network namespace up. */
export function raiseLoopback(task: Task): void {
	const request = new Uint8Array(40); // struct ifreq
	request.set(Buffer.from("lo"));
	request[16] = IFF_UP;
	task.run(() => {
		using control = socket("inet", "dgram");
		task.syscall(SYS_ioctl, control, SIOCSIFFLAGS, request);
	});
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
