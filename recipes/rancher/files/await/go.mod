module await

go 1.21
