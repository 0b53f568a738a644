/**
 * Operators that both libtorch 1.13 and 2.13 have and that this kind of work needs, for `aten`: a misspelt name
 * does not compile. A name without overload stands for its usual one. For others there is `operator(name)`.
 */
// prettier-ignore
export type AtenName =
  // making
  | 'arange' | 'arange.start' | 'arange.start_step' | 'clone' | 'contiguous' | 'empty' | 'empty_like' | 'eye'
  | 'from_file' | 'full' | 'full_like' | 'linspace' | 'meshgrid.indexing' | 'new_empty' | 'new_zeros' | 'ones'
  | 'ones_like' | 'rand' | 'rand.generator' | 'randint.generator' | 'randn' | 'randn.generator' | 'randperm.generator'
  | 'tril' | 'tril_' | 'triu' | 'triu_' | 'zero_' | 'zeros' | 'zeros_like'
  // random numbers in place
  | 'bernoulli' | 'bernoulli_.float' | 'exponential_' | 'normal_' | 'random_.from' | 'uniform_'
  // arithmetic
  | 'add' | 'add_' | 'add.Scalar' | 'add.Tensor' | 'add_.Scalar' | 'add_.Tensor' | 'addcdiv' | 'addcdiv_' | 'addcmul'
  | 'addcmul_' | 'div' | 'div_' | 'div.Scalar' | 'div.Tensor' | 'div.Tensor_mode' | 'div_.Scalar' | 'div_.Tensor'
  | 'floor_divide' | 'fmod.Scalar' | 'lerp.Scalar' | 'lerp.Tensor' | 'lerp_.Scalar' | 'lerp_.Tensor' | 'mul' | 'mul_'
  | 'mul.Scalar' | 'mul.Tensor' | 'mul_.Scalar' | 'mul_.Tensor' | 'neg' | 'neg_' | 'pow.Scalar' | 'pow.Tensor_Scalar'
  | 'pow.Tensor_Tensor' | 'pow_.Scalar' | 'reciprocal' | 'reciprocal_' | 'remainder.Scalar' | 'remainder.Tensor'
  | 'rsub.Scalar' | 'rsub.Tensor' | 'sub' | 'sub_' | 'sub.Scalar' | 'sub.Tensor' | 'sub_.Scalar' | 'sub_.Tensor'
  // elementwise
  | 'abs' | 'abs_' | 'acos' | 'asin' | 'atan' | 'atan2' | 'ceil' | 'ceil_' | 'clamp' | 'clamp_' | 'clamp.Tensor'
  | 'clamp_max' | 'clamp_max_' | 'clamp_min' | 'clamp_min_' | 'cos' | 'erf' | 'exp' | 'exp_' | 'expm1' | 'floor'
  | 'floor_' | 'hypot' | 'isfinite' | 'isinf' | 'isnan' | 'log' | 'log_' | 'log10' | 'log1p' | 'log2' | 'logaddexp'
  | 'maximum' | 'minimum' | 'nan_to_num' | 'round' | 'round_' | 'rsqrt' | 'rsqrt_' | 'sgn' | 'sign' | 'sin' | 'sqrt'
  | 'sqrt_' | 'square' | 'square_' | 'tan' | 'trunc' | 'xlogy.Tensor'
  // activations
  | 'celu' | 'elu' | 'gelu' | 'gelu_' | 'glu' | 'hardtanh' | 'leaky_relu' | 'leaky_relu_' | 'log_sigmoid'
  | 'log_softmax.int' | 'mish' | 'prelu' | 'relu' | 'relu_' | 'relu6' | 'selu' | 'sigmoid' | 'sigmoid_' | 'silu'
  | 'silu_' | 'softmax.int' | 'softplus' | 'tanh' | 'tanh_' | 'threshold'
  // comparisons
  | 'all' | 'all.dim' | 'any' | 'any.dim' | 'eq.Scalar' | 'eq.Tensor' | 'equal' | 'ge.Scalar' | 'ge.Tensor'
  | 'gt.Scalar' | 'gt.Tensor' | 'isclose' | 'le.Scalar' | 'le.Tensor' | 'logical_and' | 'logical_not' | 'logical_or'
  | 'lt.Scalar' | 'lt.Tensor' | 'ne.Scalar' | 'ne.Tensor' | 'where' | 'where.Scalar' | 'where.ScalarOther'
  | 'where.ScalarSelf' | 'where.self'
  // reductions
  | 'amax' | 'amin' | 'aminmax' | 'argmax' | 'argmin' | 'bincount' | 'count_nonzero' | 'cummax' | 'cumprod' | 'cumsum'
  | 'diff' | 'dist' | 'histc' | 'kthvalue' | 'linalg_vector_norm' | 'logsumexp' | 'max' | 'max.dim' | 'mean'
  | 'mean.dim' | 'median' | 'median.dim' | 'min' | 'min.dim' | 'nansum' | 'norm.Scalar' | 'norm.ScalarOpt_dim' | 'prod'
  | 'prod.dim_int' | 'quantile' | 'quantile.scalar' | 'sort' | 'sort.stable' | 'std' | 'std.correction' | 'sum'
  | 'sum.dim_IntList' | 'topk' | 'trace' | 'unique_consecutive' | 'var' | 'var.correction' | 'var_mean'
  | 'var_mean.correction'
  // shape
  | 'cat' | 'chunk' | 'detach' | 'diagonal' | 'expand' | 'expand_as' | 'flatten.using_ints' | 'flip' | 'movedim.int'
  | 'narrow' | 'permute' | 'pixel_shuffle' | 'pixel_unshuffle' | 'repeat' | 'repeat_interleave.self_int' | 'reshape'
  | 'reshape_as' | 'roll' | 'rot90' | 'select.int' | 'size.int' | 'slice.Tensor' | 'split.Tensor' | 'split_with_sizes'
  | 'squeeze' | 'squeeze.dim' | 'stack' | 'stride.int' | 't' | 'tensor_split.sections' | 'tile' | 'transpose.int'
  | 'type_as' | 'unbind.int' | 'unfold' | 'unsqueeze' | 'unsqueeze_' | 'view' | 'view.dtype' | 'view_as'
  // indexing
  | 'copy_' | 'fill_' | 'fill_.Scalar' | 'fill_.Tensor' | 'gather' | 'index.Tensor' | 'index_add' | 'index_add_'
  | 'index_copy_' | 'index_fill_.int_Scalar' | 'index_put' | 'index_put_' | 'index_select' | 'masked_fill.Scalar'
  | 'masked_fill.Tensor' | 'masked_fill_.Scalar' | 'masked_fill_.Tensor' | 'masked_select' | 'nonzero' | 'one_hot'
  | 'scatter.src' | 'scatter.value' | 'scatter_.src' | 'scatter_.value' | 'scatter_add' | 'scatter_add_'
  | 'scatter_reduce.two' | 'searchsorted.Tensor' | 'set_.source_Tensor' | 'take' | 'take_along_dim' | 'to.device'
  | 'to.dtype' | 'to.dtype_layout' | 'to.other'
  // linear algebra
  | 'addmm' | 'baddbmm' | 'bmm' | 'cholesky_inverse' | 'cross' | 'det' | 'dot' | 'einsum' | 'inverse'
  | 'linalg_cholesky' | 'linalg_eigh' | 'linalg_inv' | 'linalg_lstsq' | 'linalg_solve' | 'linalg_svd' | 'linear'
  | 'matmul' | 'matrix_exp' | 'mm' | 'mv' | 'outer'
  // convolution, normalisation, pooling
  | 'adaptive_avg_pool1d' | 'adaptive_avg_pool2d' | 'adaptive_avg_pool3d' | 'adaptive_max_pool2d' | 'avg_pool1d'
  | 'avg_pool2d' | 'avg_pool3d' | 'batch_norm' | 'col2im' | 'conv1d' | 'conv2d' | 'conv2d.padding' | 'conv3d'
  | 'conv_transpose1d' | 'conv_transpose2d' | 'conv_transpose2d.input' | 'conv_transpose3d' | 'conv_transpose3d.input'
  | 'convolution' | 'embedding' | 'group_norm' | 'im2col' | 'instance_norm' | 'layer_norm' | 'max_pool1d'
  | 'max_pool2d' | 'max_pool2d_with_indices' | 'max_pool3d' | 'native_batch_norm' | 'native_group_norm'
  | 'native_layer_norm'
  // resizing and warping
  | 'affine_grid_generator' | 'constant_pad_nd' | 'grid_sampler' | 'grid_sampler_2d' | 'grid_sampler_3d' | 'pad'
  | 'reflection_pad1d' | 'reflection_pad2d' | 'reflection_pad3d' | 'replication_pad2d' | 'replication_pad3d'
  | '_upsample_bicubic2d_aa' | '_upsample_nearest_exact2d' | 'upsample_bicubic2d' | 'upsample_bilinear2d' | 'upsample_bilinear2d.vec' | 'upsample_linear1d'
  | 'upsample_nearest2d' | 'upsample_nearest2d.vec' | 'upsample_nearest3d' | 'upsample_nearest3d.vec'
  | 'upsample_trilinear3d' | 'upsample_trilinear3d.vec'
  // losses
  | 'binary_cross_entropy' | 'binary_cross_entropy_with_logits' | 'cosine_similarity' | 'huber_loss' | 'kl_div'
  | 'l1_loss' | 'mse_loss' | 'smooth_l1_loss'
  // Fourier
  | 'complex' | 'fft_fft2' | 'fft_fftn' | 'fft_fftshift' | 'fft_ifft2' | 'fft_ifftn' | 'fft_ifftshift' | 'fft_irfftn'
  | 'fft_rfftn' | 'imag' | 'real' | 'view_as_complex' | 'view_as_real'
  // lists at once
  | '_foreach_add.List' | '_foreach_add.Scalar' | '_foreach_add_.List' | '_foreach_add_.Scalar'
  | '_foreach_addcdiv_.Scalar' | '_foreach_addcmul_.Scalar' | '_foreach_div_.List' | '_foreach_div_.Scalar'
  | '_foreach_mul.Scalar' | '_foreach_mul_.List' | '_foreach_mul_.Scalar' | '_foreach_neg' | '_foreach_norm.Scalar'
  | '_foreach_sqrt' | '_foreach_sub_.List' | '_foreach_zero_'
