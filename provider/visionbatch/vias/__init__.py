"""What is peculiar to Huawei Cloud VIAS: paths, words, limits, rules, signature. No socket or file is opened here."""
