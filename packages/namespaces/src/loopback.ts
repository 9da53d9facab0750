import {
	adoptDescriptor,
	currentBatch,
	currentTask,
	explained,
	hintForNetwork,
	native,
	numberOf,
	openFlags,
	socketFamilies,
	socketTypes,
} from "@nearfar/core/internal";

const [SIOCGIFFLAGS, SIOCSIFFLAGS] = [0x8913, 0x8914];
const [IFREQ_SIZE, FLAGS] = [40, 16]; // bytes of a struct ifreq, and the offset of its flags
const IFF_UP = 1;

/**
 * Brings up `lo`, the loopback device of the network namespace.
 *
 * The device of a new namespace is down, and every connection to 127.0.0.1 or ::1 fails with `ENETUNREACH` or `EADDRNOTAVAIL`. The
 * kernel adds both addresses itself when the device goes up. A device that is up stays as it is.
 *
 * In a batch the flags cannot be read first, and the device gets IFF_UP alone: in a new namespace that is the same.
 *
 * @throws `EPERM` The task has no CAP_NET_ADMIN over the network namespace.
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs one for a moment.
 * @throws `EAFNOSUPPORT` The kernel has no IPv4.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
 * task.run(() => loopbackUp());
 * ```
 * @see netdevice(7), SIOCSIFFLAGS; CAP_NET_ADMIN over the network namespace
 */
export function loopbackUp(): void {
	const type = socketTypes.dgram | openFlags.cloexec; // SOCK_CLOEXEC has the value of O_CLOEXEC
	using socket = adoptDescriptor(native().socket(socketFamilies.inet, type, 0));
	const request = new Uint8Array(IFREQ_SIZE);
	request.set([0x6c, 0x6f]); // "lo"
	const before = currentBatch()
		? 0
		: native().ioctlBytes(numberOf(socket), SIOCGIFFLAGS, request, true).readUInt16LE(FLAGS);
	if (before & IFF_UP) return;
	new DataView(request.buffer).setUint16(FLAGS, before | IFF_UP, true);
	const task = currentTask();
	explained(
		() => native().ioctlBytes(numberOf(socket), SIOCSIFFLAGS, request, false),
		({ code }) => (code === "EPERM" ? hintForNetwork(task) : undefined),
	);
}
