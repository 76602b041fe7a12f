// Mean wait before devices with one queue: Erlang C times the variability, Kingman's formula for one device.
import { formula } from "./formula.mjs";

export function compute({ utilisation, num_servers, service_time, arrival_cv2, service_cv2 }) {
  const load = utilisation * num_servers;
  let blocked = 1;
  for (let k = 1; k <= num_servers; k++) blocked = (load * blocked) / (k + load * blocked);
  const waits = blocked / (1 - utilisation * (1 - blocked));
  const wait = (((arrival_cv2 + service_cv2) / 2) * waits * service_time) / (num_servers * (1 - utilisation));
  return { wait, times: wait / service_time, queue: (load / service_time) * wait, free: (1 - utilisation) * num_servers };
}

export default formula(compute);
