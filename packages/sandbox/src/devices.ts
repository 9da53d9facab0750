/** The devices of the host that every sandbox has, by their names in `/dev`. */
export const usualDevices = ["null", "zero", "full", "random", "urandom", "tty"];
