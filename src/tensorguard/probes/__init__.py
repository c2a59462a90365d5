"""What we ask a layer: inputs that are functions of a seed alone, and the noise strategies of the paper."""
