"""Makes the models of arch/testdata/onnx: networks of PyTorch, exported by torch.onnx.export, with inputs and outputs.

    pip install torch onnx onnxscript safetensors numpy
    python arch/testdata/onnx/make.py arch/testdata/onnx

Each NAME.onnx has NAME.safetensors beside it: x, channels-last for images as pcgraph takes them, and y, what PyTorch gives. For the
networks in state dictionaries NAME.safetensors also is NAME.state.safetensors, by safetensors.torch.save_file(net.state_dict()).
"""
import sys
from pathlib import Path

import onnx
import torch
from safetensors.torch import save_file
from torch import nn

out = Path(sys.argv[1])


class Residual(nn.Module):
    """Pre-activation residual blocks, a projection, and a sum before the activation, as in ResNet."""

    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(6, 8)
        self.blocks = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.norm = nn.LayerNorm(8)
        self.project = nn.Linear(8, 5, bias=False)
        self.narrow = nn.Linear(8, 5)
        self.out = nn.Linear(5, 3)

    def forward(self, x):
        x = self.inp(x)
        for b in self.blocks:
            x = x + b(torch.tanh(x))
        x = self.narrow(torch.relu(self.norm(x))) + self.project(x)
        return torch.softmax(self.out(torch.relu(x)), -1)


class ConvNet(nn.Module):
    """Convolutions with batch normalisation, a residual block, pools of both kinds and a flatten of several channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(4)
        self.down = nn.Conv2d(4, 6, 3, padding=1)
        self.fc = nn.Linear(6 * 2 * 2, 3)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = torch.relu(x + self.bn2(self.conv2(x)))
        x = nn.functional.avg_pool2d(nn.functional.silu(self.down(x)), 2)
        return self.fc(torch.flatten(x, 1))


torch.manual_seed(1)
nets = {
    "mlp": (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, 3)), (5, 6)),
    "gelu": (nn.Sequential(nn.Linear(6, 8), nn.GELU(approximate="tanh"), nn.Dropout(), nn.Linear(8, 3)), (5, 6)),
    "residual": (Residual(), (5, 6)),
    "conv": (ConvNet(), (5, 2, 8, 8)),
    "pooled": (nn.Sequential(nn.Conv2d(1, 3, 3), nn.Hardtanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.Sigmoid()), (5, 1, 6, 6)),
}
for name, (net, shape) in nets.items():
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 2)
            m.bias.data.normal_()
    net.eval()
    x = torch.randn(shape)
    torch.onnx.export(net, (x,), str(out / f"{name}.onnx"), input_names=["x"], output_names=["y"], opset_version=20,
                      dynamic_shapes=({0: torch.export.Dim("N")},), dynamo=True, external_data=False)
    model = onnx.load(str(out / f"{name}.onnx"))  # without the notes on where the source was
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for part in [*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    model.graph.doc_string = model.doc_string = ""
    onnx.save(model, str(out / f"{name}.onnx"))
    y = net(x).detach()
    xs = x.permute(0, 2, 3, 1).contiguous() if x.dim() == 4 else x
    save_file({"x": xs, "y": y}, str(out / f"{name}.safetensors"))
save_file(nets["mlp"][0].state_dict(), str(out / "mlp.state.safetensors"))
print("torch", torch.__version__)
