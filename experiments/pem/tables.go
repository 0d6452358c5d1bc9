package pem

import "math"

// unknown is a number of the paper that was not at hand.
var unknown = math.NaN()

// published is the paper's mean SNR over sources, mSNR in dB, mean over 30 seeds, in the order of rhos (antisparse domains) or inputs.
var published = map[string]map[string][]float64{
	antiName: {
		pemRule: {25.59, 25.52, 25.06, 24.29, 23.50, 22.42, 21.31, 20.08, 18.65, 17.03, 15.48},
		upem:    {25.17, 25.14, 24.44, 23.42, 22.22, 20.70, 19.11, 17.91, 16.71, 14.90, 14.21},
		cim:     {25.02, 25.04, 24.92, 24.59, 24.28, 24.11, 23.74, 23.48, 23.04, 22.49, 22.26},
		ica:     {30.07, 25.76, 21.52, 18.58, 16.43, 14.72, 13.31, 11.93, 10.77, 9.14, 5.95},
		ldmi:    {30.11, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, 29.13},
		bsm:     {30.03, 24.47, 20.09, 17.08, 14.91, 13.19, 11.78, 10.60, 9.55, 8.61, 7.74},
	},
	nnName: {
		pemRule: {26.50, 26.28, 25.96, 25.46, 25.36, 24.78, 24.32, 23.97, 23.26, 22.68, 22.19},
		upem:    {26.49, 26.15, 25.52, 25.03, 24.49, 23.66, 22.82, 21.58, 20.86, 19.72, 17.85},
		cim:     {26.15, 26.10, 26.02, 25.90, 25.71, 25.51, 24.91, 24.85, 24.39, 24.13, 24.02},
		ica:     {26.05, 23.90, 21.22, 19.20, 17.62, 16.15, 14.98, 14.01, 13.04, 12.08, 10.14},
		ldmi:    {30.05, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, 31.26},
		nsm:     {30.09, 24.49, 19.94, 17.03, 14.88, 13.12, 11.65, 10.53, 9.52, 8.65, 7.57},
	},
	"sparse": {
		pemRule: {7.19, 11.26, 15.83, 20.30, 23.74, 26.93},
		upem:    {7.20, 11.26, 15.83, 20.32, 23.77, 26.59},
		cim:     {7.02, 11.08, 15.59, 20.03, 23.80, 27.36},
		ldmi:    {6.99, 11.02, 15.57, 20.41, 25.37, 30.31},
	},
	"nnsparse": {
		pemRule: {7.05, 11.19, 15.67, 20.15, 24.46, 28.32},
		upem:    {6.96, 10.83, 15.18, 19.45, 23.96, 28.23},
		cim:     {6.29, 10.37, 15.29, 20.23, 23.97, 26.94},
		ldmi:    {6.76, 10.52, 15.18, 20.00, 24.79, 29.50},
	},
	"simplex": {
		pemRule: {6.75, 10.84, 15.60, 20.57, 25.32, 28.88},
		upem:    {6.77, 10.80, 14.70, 18.72, 22.51, 25.88},
		ldmi:    {6.24, 9.96, 14.56, 19.71, 25.09, 30.46},
	},
}

// publishedSINR is the same of SINR, for the points that its keys name: rho, or input SNR in dB.
var publishedSINR = map[string]map[float64]map[string]float64{
	antiName: {
		0:   {pemRule: 25.37, upem: 24.11, cim: 24.81, ldmi: 29.61, ica: 29.59, bsm: 29.47},
		.05: {pemRule: 25.29, upem: 24.67, cim: 24.82, ldmi: 29.54, ica: 25.65, bsm: 24.21},
		.1:  {pemRule: 24.88, upem: 23.88, cim: 24.73, ldmi: 29.51, ica: 21.49, bsm: 20.07},
		.2:  {pemRule: 23.33, upem: 21.10, cim: 23.86, ldmi: 29.32, ica: 16.42, bsm: 14.90},
		.3:  {pemRule: 21.19, upem: 16.77, cim: 23.50, ldmi: 29.21, ica: 13.31, bsm: 11.78},
		.4:  {pemRule: 18.53, upem: 14.87, cim: 22.81, ldmi: 28.77, ica: 10.33, bsm: 9.55},
		.5:  {pemRule: 15.26, upem: 12.26, cim: 21.99, ldmi: 28.66, ica: 1.38, bsm: 7.71},
	},
	nnName: {
		0:  {pemRule: 26.15, upem: 25.84, cim: 25.79, ldmi: 28.89, ica: 25.31, nsm: 29.51},
		.1: {pemRule: 25.34, upem: 25.08, cim: 25.63, ldmi: 29.05, ica: 21.07, nsm: 19.82},
		.2: {pemRule: 25.07, upem: 24.31, cim: 25.35, ldmi: 29.20, ica: 17.59, nsm: 14.75},
		.3: {pemRule: 23.85, upem: 22.12, cim: 23.91, ldmi: 29.48, ica: 14.77, nsm: 11.47},
		.4: {pemRule: 22.85, upem: 19.86, cim: 23.50, ldmi: 29.68, ica: 12.56, nsm: 9.28},
		.5: {pemRule: 21.59, upem: 15.10, cim: 23.34, ldmi: 29.97, ica: 7.86, nsm: 7.26},
	},
	"sparse": {
		30: {pemRule: 26.76, upem: 26.10, cim: 27.17, ldmi: 29.85}, 25: {pemRule: 23.50, upem: 23.51, cim: 23.52, ldmi: 24.91},
		20: {pemRule: 19.90, upem: 19.91, cim: 19.63, ldmi: 19.96}, 15: {pemRule: 15.40, upem: 15.39, cim: 15.16, ldmi: 15.15},
		10: {pemRule: 10.89, upem: 10.88, cim: 10.71, ldmi: 10.67}, 5: {pemRule: 6.92, upem: 6.93, cim: 6.76, ldmi: 6.74},
	},
	"nnsparse": {
		30: {pemRule: 27.63, upem: 27.50, cim: 26.72, ldmi: 28.57}, 25: {pemRule: 23.92, upem: 23.23, cim: 23.65, ldmi: 24.08},
		20: {pemRule: 19.65, upem: 18.41, cim: 19.81, ldmi: 19.44}, 15: {pemRule: 15.23, upem: 14.59, cim: 14.86, ldmi: 14.74},
		10: {pemRule: 10.85, upem: 10.13, cim: 10.03, ldmi: 10.13}, 5: {pemRule: 6.80, upem: 6.57, cim: 6.07, ldmi: 6.53},
	},
	"simplex": {
		30: {pemRule: 28.58, upem: 23.43, ldmi: 30.01}, 25: {pemRule: 24.92, upem: 20.00, ldmi: 24.65}, 20: {pemRule: 20.15, upem: 16.88, ldmi: 19.30},
		15: {pemRule: 15.21, upem: 13.74, ldmi: 14.21}, 10: {pemRule: 10.53, upem: 10.44, ldmi: 9.69}, 5: {pemRule: 6.54, upem: 6.55, ldmi: 6.06},
	},
}
