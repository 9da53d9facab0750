import type { Socket } from "node:net";
import { codeOf } from "./refusal.ts";

/** Connects to 127.0.0.1, or to ::1 where no program listens at 127.0.0.1. */
export async function atLoopback(connect: (address: string) => Promise<Socket>): Promise<Socket> {
	try {
		return await connect("127.0.0.1");
	} catch (error) {
		if (codeOf(error) !== "ECONNREFUSED") throw error;
		return connect("::1").catch(() => {
			throw error;
		});
	}
}
