-- One line that a program can read: requests, microseconds, socket errors, other statuses, median in microseconds.
done = function(summary, latency, requests)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %d %d %d %d %.1f\n",
    summary.requests, summary.duration, broken, errors.status, latency:percentile(50)))
end
