"""What one worker of a cluster has to compute with."""

from dataclasses import dataclass

# Peak dense bf16 operations per second, from NVIDIA's and AMD's data sheets. The longest name that fits counts.
PEAK_FLOPS = {
    "V100": 125e12, "T4": 65e12, "A10": 125e12, "A10G": 70e12, "A30": 165e12, "A40": 150e12, "A100": 312e12,
    "L4": 121e12, "L40": 181e12, "L40S": 362e12, "RTX 4090": 165e12, "H100 PCIe": 756e12, "H100 NVL": 835e12,
    "H100": 989e12, "H200": 989e12, "GH200": 989e12, "B200": 2250e12, "MI250X": 383e12, "MI300X": 1307e12,
}  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What one worker has: `memory` in bytes of its GPU, or its share of its node's."""

    device: str
    name: str
    memory: int
    has_bf16: bool = True

    @property
    def peak_flops(self) -> float | None:
        """Operations per second at best; None when the device is not in the table."""
        fitting = [name for name in PEAK_FLOPS if name in self.name]
        return PEAK_FLOPS[max(fitting, key=len)] if fitting else None
