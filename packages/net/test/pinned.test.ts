import { expect } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { needs } from "../../../test/needs.ts";

/** Pins a network namespace as ip(8) does, in a mount namespace of its own, so that nothing stays on the host. */
const pinBlue = [
	"mount -t tmpfs tmpfs /run",
	"ip netns add blue",
	"ip -n blue link set lo up",
	"ip -n blue address add 10.0.0.1/8 dev lo",
	'exec "$0" "$@"',
].join(" && ");

needs("root", "the program ip", "the program unshare").test(
	"sockets made in a namespace that `ip netns add` has pinned are served, read and received from by Node",
	async () => {
		const wrapper = ["unshare", "--mount", "sh", "-c", pinBlue];
		const { report, code, stderr } = await runFixture("net/pinned", { wrapper });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toEqual({ page: "/page of blue", datagram: "a datagram", bound: true });
	},
);
