"""What sources cost: encoding and producing, files, tracked hits, and a broker that is away meanwhile."""
